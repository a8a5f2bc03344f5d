/** The engine for the length of a command: the options that all measuring and running commands share. */
import { type Command, Option } from 'commander';
import { type Backend, LEVEL_NAMES } from '../backends/index.ts';
import { usageError } from '../core/index.ts';
import { Engine } from '../generate/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import { type AttentionAlgorithm, CACHE_TYPES, type CacheType } from '../graph/index.ts';
import { BACKEND_NAMES, type ChosenBackend, chooseBackend, DEFAULT_BACKEND } from '../platform/index.ts';
import { withGguf } from './gguf.ts';
import { parseBytes, parseChoice, parseCount } from './option-values.ts';

const ATTENTION = ['flash', 'eager'] as const satisfies readonly AttentionAlgorithm[];

/** What the options of `addEngineOptions` become. */
export interface EngineFlags {
  readonly model: string;
  readonly threads?: string;
  readonly memory?: string;
  readonly backend: string;
  /** Of the native backend. */
  readonly level?: string;
  readonly copyWeights?: boolean;
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

/** What computes, for every command that does. */
export function addBackendOptions(command: Command): Command {
  return command
    .option(
      `--backend <${BACKEND_NAMES.join('|')}>`,
      'what computes; auto: native machine code where it runs, else wasm',
      DEFAULT_BACKEND,
    )
    .option(
      '--level <name>',
      `instructions of native code: ${LEVEL_NAMES.join(', ')} (default: the best here)`,
    );
}

/** @param cacheType default type of the key-value cache: f32 to measure, f16 to generate. */
export function addEngineOptions(
  command: Command,
  cacheType: CacheType,
  model: keyof typeof MODELS = 'required',
): Command {
  const { flags, text, mandatory } = MODELS[model];
  const help = `GGUF file (any shard), address, owner/name[:type] of a hub, or phi3-tiny${text}`;
  return addBackendOptions(command.addOption(new Option(flags, help).makeOptionMandatory(mandatory)))
    .option('-t, --threads <n>', 'worker threads (default: all cores)')
    .option('--copy-weights', 'native: weights in huge pages of its own memory, faster but not shared')
    .option('--memory <size>', 'memory to stay below, e.g. 4GiB; larger models are read layer by layer')
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
  /** Whether activations may be rounded to 8 bits for speed. Not to measure: results would depend on the runtime. */
  readonly relaxed?: boolean;
  /** Bytes that others will take on the backend. */
  readonly reserve?: number;
  /** Sequences that grow side by side. */
  readonly sequences?: number;
}

let toldFallback = false;

/** What the options come down to on this machine; a fallback is told once, on stderr. */
export async function choiceOf({
  backend,
  level,
}: Pick<EngineFlags, 'backend' | 'level'>): Promise<ChosenBackend> {
  const chosen = await chooseBackend(
    parseChoice('--backend', backend, BACKEND_NAMES),
    level === undefined ? undefined : parseChoice('--level', level, LEVEL_NAMES),
  );
  if (chosen.fallback !== undefined && !toldFallback) {
    toldFallback = true;
    process.stderr.write(`WebAssembly computes, not native code: ${chosen.fallback}\n`);
  }
  return chosen;
}

export async function openBackend(flags: Omit<EngineFlags, 'model'>, relaxed: boolean): Promise<Backend> {
  const { threads } = flags;
  const chosen = await choiceOf(flags);
  return chosen.open({
    threads: threads === undefined ? undefined : parseCount('--threads', threads),
    relaxed,
    copyWeights: flags.copyWeights,
  });
}

/** What `--json` says of how results were computed. */
export function backendJson({ name, level }: Backend): { backend: string; level: string | null } {
  return { backend: name, level: level ?? null };
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
