/** Options of `pipeline` itself: of the model that is meant, and of the engine that runs it. */
import type { Backend } from '../../backends/index.ts';
import { usageError } from '../../core/index.ts';
import type { CacheType } from '../../graph/index.ts';
import { checkNames } from './names.ts';

/** What works wherever it runs. */
export interface EngineChoices {
  /** Positions of a sequence; default: what the model was trained for, at most 4096. */
  readonly context_size?: number | undefined;
  /** Answers that are computed side by side; others wait. Default 4, or 1 where the memory holds no more. */
  readonly batch_size?: number | undefined;
  /** How keys and values are kept; default `f16`. */
  readonly cache_type?: CacheType | undefined;
  /** Bytes that weights and caches may take; default: what the backend can hold. */
  readonly memory?: number | undefined;
  /** What computes, and stays the caller's to close. Default: WebAssembly, in Node on all cores. */
  readonly backend?: Backend | undefined;
}

const ENGINE_CHOICES = {
  context_size: true,
  batch_size: true,
  cache_type: true,
  memory: true,
  backend: true,
} as const satisfies Record<keyof EngineChoices, true>;

/** What a model's name leaves open, in transformers.js's words. */
export interface ModelNameOptions {
  /**
   * Which file of a repository, or type of an embedded model: a file type (`Q4_K_M`), or one of transformers.js's names
   * (`q4`, `q8`, `fp16`, …), for which the nearest type is taken. Default: the first that is there of Q4_K_M, Q4_K_S, …
   */
  readonly dtype?: string | undefined;
  /** Branch, tag or commit of a repository; default `main`. */
  readonly revision?: string | undefined;
  /** The Hugging Face cache; default: `HF_HUB_CACHE`, else `hub` in `HF_HOME`. */
  readonly cache_dir?: string | undefined;
  /** Never ask the hub. */
  readonly local_files_only?: boolean | undefined;
  /** Hears of what is received. */
  readonly progress_callback?: ((info: ProgressInfo) => void) | undefined;
}

/** In transformers.js's shape. */
export interface ProgressInfo {
  readonly status: 'initiate' | 'progress' | 'done';
  readonly name: string;
  readonly file: string;
  /** Bytes so far, and of all files. */
  readonly loaded?: number;
  readonly total?: number;
  /** Percent. */
  readonly progress?: number;
}

/** Options of `pipeline`. Where there is no Node, those of the model's name and `threads` are refused. */
export interface PipelineOptions extends EngineChoices, ModelNameOptions {
  /** Threads that compute; default: all cores. In browsers one, unless `backend` brings its own. */
  readonly threads?: number | undefined;
  /** transformers.js's word for what computes. The processor does. */
  readonly device?: (typeof DEVICES)[number] | undefined;
}

const DEVICES = ['auto', 'cpu', 'wasm'] as const;

/** What is for Node alone. */
export const NODE_CHOICES = [
  'threads',
  'dtype',
  'revision',
  'cache_dir',
  'local_files_only',
  'progress_callback',
] as const satisfies readonly (keyof PipelineOptions)[];

const NAMES = [...Object.keys(ENGINE_CHOICES), ...NODE_CHOICES, 'device'];

/** @throws usage error: an option that is none, a device that is not there, sizes that are no whole numbers from 1. */
export function checkPipelineOptions(options: PipelineOptions): void {
  checkNames(options, NAMES, 'option of pipeline');
  const { threads, context_size, batch_size, memory, device = 'auto' } = options;
  for (const [name, value] of Object.entries({ threads, context_size, batch_size, memory })) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    throw usageError(`${name}: ${value} is not a whole number from 1`);
  }
  if (!DEVICES.includes(device)) throw usageError(`device: ${device} is none of ${DEVICES.join(', ')}`);
}
