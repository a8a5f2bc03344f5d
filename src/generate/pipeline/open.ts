/** From a model to a pipeline: file, backend, engine, service, task. What only Node can do is done in `platform`. */
import { type Backend, wasmBackend } from '../../backends/index.ts';
import { type ByteSource, blobSource, usageError } from '../../core/index.ts';
import {
  type GgufFile,
  httpSource,
  parseShardName,
  readGguf,
  shardName,
  trainedContext,
} from '../../gguf/index.ts';
import type { CacheType } from '../../graph/index.ts';
import { Engine } from '../engine.ts';
import type { ModelService } from '../serving/index.ts';
import { featureExtractionPipeline } from './feature-extraction.ts';
import { checkNames } from './names.ts';
import { oneByOne } from './one-by-one.ts';
import { textGenerationPipeline } from './text-generation.ts';
import type { PipelineTask, PipelineTasks } from './types.ts';

/** Options of `pipeline` wherever it runs. */
export interface EngineChoices {
  /** Positions of a sequence; default: what the model was trained for, at most 4096. */
  readonly context_size?: number | undefined;
  /** How keys and values are kept; default `f16`. */
  readonly cache_type?: CacheType | undefined;
  /** Bytes that weights and caches may take; default: what the backend can hold. */
  readonly memory?: number | undefined;
  /** What computes, and stays the caller's to close. Default: WebAssembly, in Node on all cores. */
  readonly backend?: Backend | undefined;
}

export const ENGINE_CHOICES = {
  context_size: true,
  cache_type: true,
  memory: true,
  backend: true,
} as const satisfies Record<keyof EngineChoices, true>;

/** A model where there is no Node: an address, a file that the user chose, or one that is open already. */
export type PortableModel = string | URL | Blob | GgufFile;

/** Positions where the model allows more: enough for an answer, and its caches are small. */
const DEFAULT_CONTEXT = 4096;

type TaskTable = {
  readonly [Task in PipelineTask]: (
    service: ModelService,
    dispose: () => Promise<void>,
  ) => PipelineTasks[Task];
};

const TASKS: TaskTable = {
  'text-generation': textGenerationPipeline,
  'feature-extraction': featureExtractionPipeline,
};

/** @throws usage error: a task that is none. */
export function checkTask(task: PipelineTask): void {
  if (Object.hasOwn(TASKS, task)) return;
  throw usageError(`${String(task)} is no task of a pipeline`, `known: ${Object.keys(TASKS).join(', ')}`);
}

export function isGgufFile(model: unknown): model is GgufFile {
  return typeof model === 'object' && model !== null && 'tensors' in model && 'metadata' in model;
}

async function openUrl(url: string): Promise<GgufFile> {
  const shard = parseShardName(url);
  const urls = shard
    ? Array.from({ length: shard.count }, (_, i) => shardName(shard.prefix, i, shard.count))
    : [url];
  const sources: ByteSource[] = [];
  for (const one of urls) sources.push(await httpSource(one));
  return readGguf(sources);
}

/** @throws usage error: a string that is no address. */
function openPortable(model: Exclude<PortableModel, GgufFile>): Promise<GgufFile> {
  if (model instanceof Blob) return readGguf(blobSource(model));
  const url = String(model);
  if (/^(https?:|blob:|\.{0,2}\/)/i.test(url)) return openUrl(url);
  throw usageError(
    `${url} is no address of a model`,
    'here a model is a URL, a Blob or File, or an open GGUF; names of repositories and paths are for Node',
  );
}

/** What a pipeline stands on, from the ground up. */
export interface Ground {
  readonly file: GgufFile;
  readonly backend: Backend;
  /** Closes of these what is not the caller's. */
  readonly close: () => Promise<void>;
}

/** A pipeline on an open file and backend; when it cannot be made, both are closed as in the end. */
export async function pipelineOn<Task extends PipelineTask>(
  task: Task,
  { file, backend, close }: Ground,
  { context_size, cache_type, memory }: EngineChoices,
): Promise<PipelineTasks[Task]> {
  try {
    const engine = await Engine.open(file, {
      backend,
      contextSize: context_size ?? Math.min(DEFAULT_CONTEXT, trainedContext(file) ?? DEFAULT_CONTEXT),
      ...(cache_type === undefined ? {} : { cacheType: cache_type }),
      ...(memory === undefined ? {} : { memory }),
    });
    const service = await oneByOne(engine);
    let closed: Promise<void> | undefined;
    const dispose = async () => {
      await service.close();
      engine.close();
      await close();
    };
    return TASKS[task](service, () => {
      closed ??= dispose();
      return closed;
    });
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * A model ready for a task, as in transformers.js: `await pipeline('text-generation', model)`. This is the form for
 * browsers; in Node the same import also takes paths and repositories.
 * @throws usage error: no such task or option, or a string that is no address; input error: not a model that can be run;
 *   network error: unreachable; resources error: it does not fit the memory.
 */
export async function pipeline<Task extends PipelineTask>(
  task: Task,
  model: PortableModel,
  options: EngineChoices = {},
): Promise<PipelineTasks[Task]> {
  checkTask(task);
  checkNames(options, Object.keys(ENGINE_CHOICES), 'option of pipeline');
  const file = isGgufFile(model) ? model : await openPortable(model);
  const backend = options.backend ?? (await wasmBackend());
  const close = async () => {
    if (file !== model) await file.close();
    if (backend !== options.backend) await backend.close();
  };
  return pipelineOn(task, { file, backend, close }, options);
}
