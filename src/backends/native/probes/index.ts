/**
 * What a machine can do at most, measured by machine code: bytes read a second, and operations a second of each unit.
 * Adding a rate = a probe and a line. The best of several turns counts: others use the machine, too.
 */
import type { Features, Level } from '../level.ts';
import type { NativeSystem } from '../system.ts';
import { KernelClock } from './clock.ts';
import { readMemory, TURN_BYTES, touchMemory } from './memory.ts';
import type { Probe } from './probe.ts';
import { amxBf16, amxInt8 } from './tiles.ts';
import { bf16, f32, int8 } from './vectors.ts';

/** The registry of rates. */
const PROBES = { f32, int8, bf16, amxInt8, amxBf16 } as const satisfies Record<string, Probe<'loops'>>;

export type RateName = keyof typeof PROBES;

export const RATE_NAMES = Object.keys(PROBES) as RateName[];

/** Of one thread, and of all together. */
export interface Rate {
  readonly one: number;
  readonly all: number;
}

export interface MachineRates {
  readonly level: Level['name'];
  readonly threads: number;
  /** Bytes of memory read a second. */
  readonly bandwidth: Rate;
  /** Operations a second, a product and its sum counted as two; of units that the machine has. */
  readonly rates: Readonly<Partial<Record<RateName, Rate>>>;
}

export interface ProbeOptions {
  readonly system: NativeSystem;
  readonly level: Level;
  readonly features: Features;
  readonly threads: number;
  /** Bytes that are read: several times what caches hold. */
  readonly bytes: number;
}

/** Loops and turns that tell how fast a unit is, about. */
const [TRIAL_LOOPS, TRIAL_TURNS] = [5000, 5];
/** Clocks of a turn that counts, about: a millisecond or less. */
const TURN_CLOCKS = 2e6;
const RATE_TURNS = 60;

/** Bytes read in all, about, and limits of how often all memory is read. */
const READ_BYTES = 2 ** 31;
const [LEAST_READS, MOST_READS] = [3, 16];
/** Of a turn: a millisecond or less, so that a turn without others' work in between is likely. */
const WINDOW_BYTES = 2 ** 24;
const LEAST_PART_BYTES = 2 ** 20;

/** Takes a second or two, in which the calling thread waits. @throws resources error: no memory, no threads. */
export function measureRates(options: ProbeOptions): MachineRates {
  const { system, level, features, threads } = options;
  const clock = new KernelClock(system, level);
  try {
    const bandwidth = readRates(clock, options);
    const rates = RATE_NAMES.filter((name) => PROBES[name].runs(level, features)).map((name) => {
      const probe: Probe<'loops'> = PROBES[name];
      return [name, unitRates(clock, probe, level, threads)] as const;
    });
    const hertz = clock.hertz;
    const perSecond = ({ one, all }: Rate): Rate => ({ one: one * hertz, all: all * hertz });
    return {
      level: level.name,
      threads,
      bandwidth: perSecond(bandwidth),
      rates: Object.fromEntries(rates.map(([name, rate]) => [name, perSecond(rate)])),
    };
  } finally {
    clock.close();
  }
}

/** Bytes a clock. */
function readRates(clock: KernelClock, { system, threads, bytes }: ProbeOptions): Rate {
  const part = Math.max(LEAST_PART_BYTES, TURN_BYTES * Math.ceil(WINDOW_BYTES / threads / TURN_BYTES));
  const window = part * threads;
  const windows = Math.ceil(bytes / window);
  const memory = system.map(windows * window, 'probe of the memory');
  const rounds = Math.min(MOST_READS, Math.max(LEAST_READS, Math.round(READ_BYTES / memory.bytes)));
  const from = memory.address;
  const rate = (count: number): number => {
    const args = { from, bytes: window / count, windows };
    const times = clock.time(readMemory, args, count, windows * rounds);
    // The best time of each window: caches may keep some of them, never all.
    const best = Array.from({ length: windows }, (_, at) =>
      Math.min(...times.filter((_time, turn) => turn % windows === at)),
    );
    return memory.bytes / best.reduce((sum, time) => sum + time, 0);
  };
  try {
    clock.time(touchMemory, { from, bytes: part, windows }, threads, windows);
    return { one: rate(1), all: rate(threads) };
  } finally {
    memory.unmap();
  }
}

/** Operations a clock. */
function unitRates(clock: KernelClock, probe: Probe<'loops'>, level: Level, threads: number): Rate {
  const trial = Math.min(...clock.time(probe.kernel, { loops: TRIAL_LOOPS }, 1, TRIAL_TURNS));
  const loops = Math.ceil((TRIAL_LOOPS * TURN_CLOCKS) / trial);
  const rate = (count: number): number => {
    const best = Math.min(...clock.time(probe.kernel, { loops }, count, RATE_TURNS));
    return (count * loops * probe.operations(level)) / best;
  };
  return { one: rate(1), all: rate(threads) };
}
