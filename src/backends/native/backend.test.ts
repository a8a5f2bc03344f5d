/** The native backend against the reference at every level, and what it promises: the same bits for every number of threads. */
import { afterAll, describe, expect, test } from 'vitest';
import { koffiSystem } from '../../platform/koffi-system.ts';
import { backendCases, type Tolerances } from '../backend.cases.ts';
import type { Backend } from '../backend.ts';
import { BIT_CASES, bits } from '../bits.cases.ts';
import { runCase } from '../run-graph.cases.ts';
import { programCases } from '../tape/program.cases.ts';
import { type NativeOptions, nativeBackend } from './backend.ts';
import { noLevels, testLevels } from './testing.cases.ts';

const system = await koffiSystem();
if (testLevels.length === 0) console.log(`skipped: the native backend, because ${noLevels}`);

async function open(options: Omit<NativeOptions, 'system'>): Promise<Backend> {
  if ('reason' in system) throw new Error(system.reason);
  return nativeBackend({ system, ...options });
}

/** Quantized products round activations to 15 bits or to 8 by groups; the rest is f32 arithmetic in another order. */
const WIDE: Tolerances = { rounding: 3e-6, quantized: 4e-3, q8Cache: 1e-2, sums: 1e-12 };
const FAST: Tolerances = { ...WIDE, quantized: 7e-2 };

describe.each(testLevels.map((level) => [level.name, level] as const))('at %s', (_, level) => {
  backendCases('wide, 1 thread', () => open({ level, wide: true }), WIDE);
  backendCases('fast, 2 threads', () => open({ level, threads: 2 }), FAST);

  describe.each([true, false])('the same bits as on one thread, wide %s', (wide) => {
    const single = open({ level, wide });
    const others = [2, 3].map((threads) => open({ level, wide, threads }));
    afterAll(async () => {
      for (const backend of [single, ...others]) await (await backend).close();
    });
    test.each(BIT_CASES)('on 2 and 3 threads: %s', async (_, make) => {
      const wanted = bits(await runCase(await single, make()));
      for (const backend of others) expect(bits(await runCase(await backend, make()))).toEqual(wanted);
    });
  });
});

if (testLevels.length > 0) {
  const [level] = testLevels;
  programCases('kept tapes', () => open({ level, threads: 2 }));
}
