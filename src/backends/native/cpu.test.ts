/** What the CPU says of itself, beside what the system knows of it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { koffiSystem } from '../../platform/koffi-system.ts';
import { cpuFeatures, tilesGranted } from './cpu.ts';

const system = await koffiSystem();
const flags = (): Set<string> =>
  new Set(/^flags\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' '));

if ('reason' in system) console.log(`skipped: the CPU's features, because ${system.reason}`);

test.skipIf('reason' in system)('features are those that the system lists', () => {
  if ('reason' in system) return;
  const known = flags();
  const all = (...names: readonly string[]): boolean => names.every((name) => known.has(name));
  const features = cpuFeatures(system);
  expect(features).toMatchObject({
    avx2: all('avx2', 'fma', 'f16c', 'bmi1', 'bmi2'),
    avx512: all('avx512f', 'avx512bw', 'avx512vl', 'avx512dq', 'avx512cd', 'avx512_vnni'),
    avx512Bf16: all('avx512_bf16'),
    amx: all('amx_tile', 'amx_int8', 'amx_bf16'),
  });
});

test.skipIf('reason' in system)(
  'tiles are granted where there are some, and asking again changes nothing',
  () => {
    if ('reason' in system) return;
    const tiles = flags().has('amx_tile');
    expect([tilesGranted(system), tilesGranted(system)]).toEqual([tiles, tiles]);
  },
);
