/** Activations for tiles: every term where the layout says, the nearest bf16 of what is left. */
import { describe, expect, test } from 'vitest';
import { uniform } from '../../../../../test/random.ts';
import { bf16ToF32, f32ToBf16 } from '../../../../core/index.ts';
import { KernelBench, testLevels } from '../../testing.cases.ts';
import { TILE_ACTIVATIONS, tileActivationsScratch } from './activations.ts';
import { tileLayout } from './shape.ts';

const levels = testLevels.filter(({ amx }) => amx);

describe.each(levels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  test.each([
    { tokens: 1, cols: 1, terms: 1 },
    { tokens: 17, cols: 50, terms: 2 },
    { tokens: 33, cols: 300, terms: 3 },
    { tokens: 5, cols: 544, terms: 3 },
  ] as const)('$tokens tokens of $cols columns in $terms terms', ({ tokens, cols, terms }) => {
    const random = uniform(tokens);
    const stride = cols + 3;
    const x = Float32Array.from({ length: tokens * stride }, () => 8 * (random() - 0.5));
    const bench = new KernelBench(level);
    const { bytes, steps, groups, groupBytes } = tileLayout(tokens, cols, terms);
    const tiles = bench.alloc(bytes);
    bench.u8(tiles, bytes).fill(255);
    const args = { x: bench.put(x), xStride: 4 * stride, tokens, cols, tiles };
    bench.run(TILE_ACTIVATIONS[terms], args, { threads: 3, scratch: tileActivationsScratch(terms) });
    const found = new Uint16Array(bench.u8(tiles, bytes).slice().buffer);
    const expected = new Uint16Array(found.length);
    for (let token = 0; token < tokens; token++) {
      for (let column = 0; column < cols; column++) {
        let rest = x[token * stride + column];
        for (let t = 0; t < terms; t++) {
          const group = (token >> 4) * (groupBytes / 2);
          const tile = group + ((column >> 5) * terms + t) * 512;
          const term = f32ToBf16(rest);
          expected[tile + ((column & 31) >> 1) * 32 + (token & 15) * 2 + (column & 1)] = term;
          rest = Math.fround(rest - bf16ToF32(term));
        }
      }
    }
    expect(groups * groupBytes).toBe(bytes);
    expect(steps).toBe(Math.ceil(cols / 32));
    expect(found).toEqual(expected);
  });
});
