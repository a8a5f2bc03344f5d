/**
 * The registry of backends in Node, and the choice among them: the fastest that runs here, or one by its name. A choice
 * is made first (`chooseBackend`), so that it can be told and recorded, and opened then.
 */
import {
  type Backend,
  bestLevel,
  cpuFeatures,
  LEVEL_NAMES,
  LEVELS,
  type Level,
  type LevelName,
  levelsOf,
  type NativeSystem,
  nativeBackend,
  referenceBackend,
  wasmBackend,
} from '../backends/index.ts';
import { BitmillError, usageError } from '../core/index.ts';
import { allowRelaxedSimd, spawnEngineThread } from './engine-threads.ts';
import { koffiSystem } from './koffi-system.ts';
import { availableThreads } from './workers.ts';

/** How a backend is to be opened. */
export interface OpenOptions {
  /** Threads that compute; default: all cores. */
  readonly threads?: number | undefined;
  /**
   * Whether activations may be rounded to 8 bits for speed. To measure they must not: results would depend on the runtime.
   */
  readonly relaxed?: boolean | undefined;
  /** Whether machine code has weights in memory of its own, not in the file's pages. Others always copy them. */
  readonly copyWeights?: boolean | undefined;
}

type Opening = Required<{ readonly [Key in keyof OpenOptions]: NonNullable<OpenOptions[Key]> }>;

/** A backend of this machine, not open yet. */
export interface ChosenBackend {
  readonly name: Exclude<BackendName, 'auto'>;
  /** Of the machine code; undefined where there is none. */
  readonly level?: LevelName;
  /** Why it is not the native one, where that was wanted first. */
  readonly fallback?: string;
  open(options: OpenOptions): Promise<Backend>;
}

/** What machine code can be run here. */
export interface NativeSupport {
  readonly system: NativeSystem;
  /** Best first. */
  readonly levels: readonly LevelName[];
  readonly best: Level;
}

/** Never throws. */
export async function nativeSupport(): Promise<NativeSupport | { readonly reason: string }> {
  const system = await koffiSystem();
  if ('reason' in system) return system;
  const features = cpuFeatures(system);
  const best = bestLevel(features);
  if (!best) return { reason: 'the processor has no AVX2, or the system does not let programs use it' };
  return { system, levels: levelsOf(features), best };
}

type Choose = (level: LevelName | undefined) => Promise<ChosenBackend>;

/** The registry: adding a backend = a line. `auto` is the best of the others. */
const BACKENDS = {
  auto: async (level) => {
    const support = await nativeSupport();
    if (!('reason' in support)) return nativeOf(support, level);
    if (level !== undefined) throw notNative(support.reason);
    return { ...wasm, fallback: support.reason };
  },
  native: async (level) => {
    const support = await nativeSupport();
    if ('reason' in support) throw notNative(support.reason);
    return nativeOf(support, level);
  },
  wasm: withoutLevels(() => wasm),
  reference: withoutLevels(() => reference),
} as const satisfies Record<string, Choose>;

export type BackendName = 'auto' | 'native' | 'wasm' | 'reference';

export const BACKEND_NAMES = Object.keys(BACKENDS) as BackendName[];

/** What computes where nobody says. */
export const DEFAULT_BACKEND: BackendName = 'auto';

const wasm: ChosenBackend = {
  name: 'wasm',
  open: (options) => {
    const { threads, relaxed } = openingOf(options);
    if (relaxed) allowRelaxedSimd();
    return wasmBackend({ threads, spawn: spawnEngineThread, relaxed });
  },
};

const reference: ChosenBackend = { name: 'reference', open: async () => referenceBackend() };

function openingOf({
  threads = availableThreads(),
  relaxed = false,
  copyWeights = false,
}: OpenOptions): Opening {
  return { threads, relaxed, copyWeights };
}

function notNative(reason: string): BitmillError {
  return new BitmillError('resources', `the native backend does not run here: ${reason}`, {
    hint: 'WebAssembly runs everywhere: the backend wasm',
  });
}

function nativeOf({ system, levels, best }: NativeSupport, wanted: LevelName | undefined): ChosenBackend {
  const level = wanted === undefined ? best : LEVELS[wanted];
  if (!levels.includes(level.name)) {
    throw usageError(`this machine does not run level ${level.name}; it runs ${levels.join(', ')}`);
  }
  return {
    name: 'native',
    level: level.name,
    open: async (options) => {
      const { threads, relaxed, copyWeights } = openingOf(options);
      return nativeBackend({ system, threads, level, wide: !relaxed, copyWeights });
    },
  };
}

function withoutLevels(chosen: () => ChosenBackend): Choose {
  return async (level) => {
    if (level === undefined) return chosen();
    throw usageError(`the backend ${chosen().name} has no levels`, 'a level is one of machine code: native');
  };
}

/**
 * @param name which; default: `DEFAULT_BACKEND`.
 * @param level of the machine code; default: the best that this machine runs.
 * @throws resources error: the native one is wanted and cannot be had; usage error: a level that this machine does not run.
 */
export function chooseBackend(
  name: BackendName = DEFAULT_BACKEND,
  level?: LevelName,
): Promise<ChosenBackend> {
  return BACKENDS[name](level);
}

/** @throws usage error: it is no name of a backend, or of a level. */
export function checkBackendNames(name: unknown, level: unknown): void {
  const check = (what: string, value: unknown, known: readonly unknown[]): void => {
    if (value === undefined || known.includes(value)) return;
    throw usageError(`${what}: ${String(value)} is none of ${known.join(', ')}`);
  };
  check('backend', name, BACKEND_NAMES);
  check('level', level, LEVEL_NAMES);
}
