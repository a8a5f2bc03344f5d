/** The machine as it concerns speed: processor, memory, what machine code can be run, and what it reaches at most. */
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import {
  bestLevel,
  cpuFeatures,
  type Features,
  LEVEL_NAMES,
  LEVEL_NEEDS,
  LEVELS,
  type LevelName,
  levelsOf,
  type MachineRates,
  measureRates,
} from '../backends/index.ts';
import { type HugePages, hugePages, koffiSystem, koffiVersion } from './koffi-system.ts';
import { availableThreads } from './workers.ts';

/** Whether a level can be used here, and why, or why not. */
export interface LevelUse {
  readonly name: LevelName;
  readonly usable: boolean;
  readonly why: string;
}

/** What is known without measuring. Sizes in bytes. */
export interface MachineFacts {
  readonly cpu: string;
  /** All cores, and those that this process may use. */
  readonly cores: number;
  readonly availableCores: number;
  /** Last cache, of all its parts together; undefined where the system does not say. */
  readonly lastCache: number | undefined;
  readonly memory: {
    readonly total: number;
    readonly available: number;
    /** What a container allows. */
    readonly limit: number | undefined;
    readonly pageBytes: number;
    readonly hugePages: HugePages | undefined;
  };
  readonly koffi: string | undefined;
  /** Undefined, with the reason, where no machine code runs. */
  readonly features: Features | undefined;
  readonly noFeatures: string | undefined;
  readonly levels: readonly LevelUse[];
}

function numberIn(file: string, pattern: RegExp): number | undefined {
  try {
    const text = pattern.exec(readFileSync(file, 'utf8'))?.[1];
    return text === undefined ? undefined : Number(text);
  } catch {
    return undefined;
  }
}

/** `/sys/devices/system/cpu/cpu0/cache/index3`: a size in KiB, and the cores that share it. */
function lastCacheBytes(): number | undefined {
  const parts = new Map<string, number>();
  try {
    const cpus = readdirSync('/sys/devices/system/cpu').filter((name) => /^cpu\d+$/.test(name));
    for (const cpu of cpus) {
      const folder = `/sys/devices/system/cpu/${cpu}/cache/index3`;
      const size = numberIn(`${folder}/size`, /^(\d+)K/);
      if (size !== undefined) parts.set(readFileSync(`${folder}/shared_cpu_list`, 'utf8'), 1024 * size);
    }
  } catch {
    return undefined;
  }
  return parts.size === 0 ? undefined : [...parts.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function memoryFacts(): MachineFacts['memory'] {
  const total = os.totalmem();
  const limit = process.constrainedMemory?.() ?? 0; // 0, or more than there is: none
  const kib = numberIn('/proc/meminfo', /^MemAvailable:\s+(\d+) kB/m);
  return {
    total,
    available: kib === undefined ? os.freemem() : 1024 * kib,
    limit: limit > 0 && limit < total ? limit : undefined,
    pageBytes: 4096,
    hugePages: hugePages(),
  };
}

function levelUses(features: Features | undefined, reason: string): LevelUse[] {
  const running: readonly LevelName[] = features ? levelsOf(features) : [];
  return LEVEL_NAMES.map((name) => {
    const usable = running.includes(name);
    const lacks = features ? `needs ${LEVEL_NEEDS[name]}: processor or system lack it` : reason;
    return { name, usable, why: usable ? `has ${LEVEL_NEEDS[name]}` : lacks };
  });
}

/** Never throws. */
export async function machineFacts(): Promise<MachineFacts> {
  const system = await koffiSystem();
  const reason = 'reason' in system ? system.reason : '';
  const features = 'reason' in system ? undefined : cpuFeatures(system);
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: Math.max(cpus.length, 1),
    availableCores: availableThreads(),
    lastCache: lastCacheBytes(),
    memory: memoryFacts(),
    koffi: await koffiVersion(),
    features,
    noFeatures: features ? undefined : reason,
    levels: levelUses(features, reason),
  };
}

/** Read to measure the memory: so many times the last cache, and limits where it is tiny, huge or unknown. */
const CACHES = 4;
const [LEAST_BYTES, MOST_BYTES] = [2 ** 27, 2 ** 31];

/**
 * What machine code reaches here at most: memory read, and operations of each unit, by one thread and by all. Takes about
 * two seconds, in which this thread waits.
 * @param options level and threads; default: the best, and all cores.
 * @returns or why nothing can be measured.
 */
export async function measureMachine({
  level,
  threads = availableThreads(),
}: {
  readonly level?: LevelName;
  readonly threads?: number;
} = {}): Promise<MachineRates | { readonly reason: string }> {
  const system = await koffiSystem();
  if ('reason' in system) return system;
  const features = cpuFeatures(system);
  const used = level === undefined ? bestLevel(features) : LEVELS[level];
  if (!used || !levelsOf(features).includes(used.name)) {
    return { reason: `the processor does not run ${used ? `level ${used.name}` : 'AVX2'}` };
  }
  const { available, limit = available } = memoryFacts();
  const wanted = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, CACHES * (lastCacheBytes() ?? 0)));
  const bytes = Math.min(wanted, Math.floor(Math.min(available, limit) / 4));
  return measureRates({ system, level: used, features, threads, bytes });
}
