/** The engine for the length of a command: the options that all measuring and running commands share. */
import { type Command, Option } from 'commander';
import { type Backend, referenceBackend, wasmBackend } from '../backends/index.ts';
import { usageError } from '../core/index.ts';
import { Engine } from '../generate/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import { type AttentionAlgorithm, CACHE_TYPES, type CacheType } from '../graph/index.ts';
import { allowRelaxedSimd, availableThreads, spawnEngineThread } from '../platform/index.ts';
import { withGguf } from './gguf.ts';
import { parseBytes, parseChoice, parseCount } from './option-values.ts';

/** The registry of backends: adding one = a line. The first is the default. */
const BACKENDS = {
  wasm: (threads: number, relaxed: boolean): Promise<Backend> => {
    if (relaxed) allowRelaxedSimd();
    return wasmBackend({ threads, spawn: spawnEngineThread, relaxed });
  },
  reference: async (_threads: number, _relaxed: boolean): Promise<Backend> => referenceBackend(),
} as const;

export type BackendName = keyof typeof BACKENDS;

const BACKEND_NAMES = Object.keys(BACKENDS) as BackendName[];
const ATTENTION = ['flash', 'eager'] as const satisfies readonly AttentionAlgorithm[];

/** What the options of `addEngineOptions` become. */
export interface EngineFlags {
  readonly model: string;
  readonly threads?: string;
  readonly memory?: string;
  readonly backend: string;
  readonly attention: string;
  readonly cacheType: string;
}

/** How many models a command takes, and how that is said. */
const MODELS = {
  required: { flags: '-m, --model <file>', text: '', mandatory: true },
  /** Where the command can do without one, or has commands of its own. */
  optional: { flags: '-m, --model <file>', text: '', mandatory: false },
  many: { flags: '-m, --model <file...>', text: '; NAME=FILE names it', mandatory: true },
} as const;

/** @param cacheType default type of the key-value cache: f32 to measure, f16 to generate. */
export function addEngineOptions(
  command: Command,
  cacheType: CacheType,
  model: keyof typeof MODELS = 'required',
): Command {
  const { flags, text, mandatory } = MODELS[model];
  const help = `GGUF file (any shard), address, owner/name[:type] of a hub, or phi3-tiny${text}`;
  return command
    .addOption(new Option(flags, help).makeOptionMandatory(mandatory))
    .option('-t, --threads <n>', 'worker threads (default: all cores)')
    .option('--memory <size>', 'memory to stay below, e.g. 4GiB; larger models are read layer by layer')
    .option(`--backend <${BACKEND_NAMES.join('|')}>`, 'what computes', BACKEND_NAMES[0])
    .option(
      `--attention <${ATTENTION.join('|')}>`,
      'tiles with a running maximum, or all scores at once',
      'flash',
    )
    .option(`--cache-type <${CACHE_TYPES.join('|')}>`, 'how keys and values are kept', cacheType);
}

export interface EngineNeeds {
  /** Positions that a sequence has at most. */
  readonly contextSize: number;
  /** Whether single tokens may be rounded to 8 bits for speed. Not to measure: results would depend on the runtime. */
  readonly relaxed?: boolean;
  /** Bytes that others will take on the backend. */
  readonly reserve?: number;
  /** Sequences that grow side by side. */
  readonly sequences?: number;
}

export function openBackend(
  { backend, threads }: Omit<EngineFlags, 'model'>,
  relaxed: boolean,
): Promise<Backend> {
  const count = threads === undefined ? availableThreads() : parseCount('--threads', threads);
  return BACKENDS[parseChoice('--backend', backend, BACKEND_NAMES)](count, relaxed);
}

/** An engine of a file that is open already, on a backend that is, too. */
export function openEngine(
  file: GgufFile,
  backend: Backend,
  flags: Omit<EngineFlags, 'model'>,
  needs: EngineNeeds,
): Promise<Engine> {
  return Engine.open(file, {
    ...needs,
    backend,
    cacheType: parseChoice('--cache-type', flags.cacheType, CACHE_TYPES),
    attention: parseChoice('--attention', flags.attention, ATTENTION),
    ...(flags.memory === undefined ? {} : { memory: parseBytes('--memory', flags.memory) }),
  });
}

/** A backend for the length of a command. */
export async function withBackend<T>(
  flags: Omit<EngineFlags, 'model'>,
  use: (backend: Backend) => Promise<T>,
  relaxed = false,
): Promise<T> {
  const backend = await openBackend(flags, relaxed);
  try {
    return await use(backend);
  } finally {
    await backend.close();
  }
}

/** Opens file and engine on a backend, hands the engine to `use`, and closes both, whatever happens. */
export function withEngineOn<T>(
  backend: Backend,
  flags: EngineFlags,
  needs: (file: GgufFile) => EngineNeeds,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  return withGguf(flags.model, async (file) => {
    return closing(await openEngine(file, backend, flags, checkedNeeds(needs(file))), use);
  });
}

async function closing<T>(engine: Engine, use: (engine: Engine) => Promise<T>): Promise<T> {
  try {
    return await use(engine);
  } finally {
    engine.close();
  }
}

function checkedNeeds(needs: EngineNeeds): EngineNeeds {
  if (needs.contextSize < 1) throw usageError('a context has at least one position');
  return needs;
}

/** Opens file, backend and engine, hands the engine to `use`, and closes all three, whatever happens. */
export function withEngine<T>(
  flags: EngineFlags,
  needs: (file: GgufFile) => EngineNeeds,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  return withGguf(flags.model, async (file) => {
    const wanted = checkedNeeds(needs(file));
    return withBackend(
      flags,
      async (backend) => closing(await openEngine(file, backend, flags, wanted), use),
      wanted.relaxed,
    );
  });
}
