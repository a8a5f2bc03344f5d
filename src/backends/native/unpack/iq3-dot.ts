/** Fast products of IQ3_XXS and IQ3_S. */
import { type Codebook, iq3sGrid, iq3xxsGrid } from '../../../quants/index.ts';
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, type Mask, mem, type Vec } from '../x64/index.ts';
import { addChunk, type DotKept, keepDot, oddOf, signsOfChunk } from './dot-parts.ts';
import { keptPlaces, places, scaledHalf } from './grid-parts.ts';
import {
  codesOfDigits,
  keepSpread,
  type PointOrder,
  type PointTables,
  packedPoints,
  pointTables,
  type SpreadKept,
  spreadPoints,
  topBits,
} from './iq3-parts.ts';
import { parityMatrix } from './sign-parts.ts';
import { type DotOperands, defineDot } from './unpack.ts';

/** Quad q has eight points: the first four in `first`, the others in `second`. */
const byQuads: PointOrder = (word, n) => 8 * (word >> 2) + 4 * n + (word & 3);

type Iq3Kept = DotKept & SpreadKept & { readonly codes: Vec };

function keep(k: KernelBuilder, book: Codebook): Iq3Kept {
  const codes = k.registers.zmm('codes of digits');
  k.x.vmovdqu8(
    codes,
    codesOfDigits(k, book, (value) => value),
  );
  return { ...keepDot(k, 30), ...keepSpread(k, byQuads), codes, ...keepTables(k, book) };
}

/** Every second part of both tables stays in a register: copies of those are looked up in. */
function keepTables(k: KernelBuilder, book: Codebook): Record<string, Vec> {
  const { lower, upper } = pointTables(k, book);
  const kept: Record<string, Vec> = {};
  for (const [name, table] of Object.entries({ lower, upper })) {
    for (let part = 0; part < table.length; part += 2) {
      const register = k.registers.zmm(`${name} ${part}`);
      k.x.vmovdqu8(register, table[part]);
      kept[`${name}${part}`] = register;
    }
  }
  return kept;
}

function tablesOf(k: KernelBuilder, book: Codebook, kept: Iq3Kept): PointTables {
  const { lower, upper } = pointTables(k, book);
  const held = (name: string) => (part: PointTables['lower'][number], i: number) =>
    (kept[`${name}${i}`] as Vec | undefined) ?? part;
  return { lower: lower.map(held('lower')), upper: upper.map(held('upper')) };
}

/** What both formats do once masks, signs (four bytes a quad) and scales are there. Frees them. */
function product(
  k: KernelBuilder,
  book: Codebook,
  block: Gpr,
  high: (index: Vec) => Mask[],
  parts: () => { readonly signs: Vec; readonly scales: Vec },
  x: DotOperands,
  totals: readonly Vec[],
  kept: Iq3Kept,
): void {
  const index = k.registers.zmm('index');
  k.x.vmovdqu8(index, mem(block, 2));
  const masks = high(index);
  const points = packedPoints(k, tablesOf(k, book, kept), index, masks, kept);
  k.free(index, ...masks);
  const { signs, scales } = parts();
  k.zero(...totals);
  for (let chunk = 0; chunk < 4; chunk++) {
    k.scope(() => {
      const codes = k.registers.zmm('codes');
      spreadPoints(k, kept.codes, chunk, codes, kept, points);
      addChunk(k, x, chunk, codes, totals, { signs: signsOfChunk(k, signs, chunk), zero: kept.zero });
    });
  }
  for (const total of totals) k.x.vpmulld(total, total, scales);
  k.free(points.first, points.second, signs, scales);
}

export const IQ3_XXS_DOT = defineDot({
  sums: false,
  setup: (k) => ({
    ...keep(k, iq3xxsGrid()),
    fields: keptPlaces(k, 'fields', (place) => 7 * (place & 3)),
  }),
  d: (k, block) => scaledHalf(k, mem(block), 0.25),
  emit: (k, block, x, totals, kept) => {
    const parts = () => {
      const signs = k.registers.zmm('signs');
      const scales = k.registers.zmm('scales');
      k.x.vpmovzxdq(signs, mem(block, 66));
      k.x.vpshufd(scales, signs, 0xa0);
      k.x.vpsrld(scales, scales, 27);
      oddOf(k, scales, kept);
      k.x.vpmultishiftqb(signs, kept.fields, signs);
      k.x.vgf2p8affineqb(signs, signs, parityMatrix(k, 0), 0);
      return { signs, scales };
    };
    product(k, iq3xxsGrid(), block, (index) => [topBits(k, index)], parts, x, totals, kept);
  },
});

export const IQ3_S_DOT = defineDot({
  sums: false,
  setup: (k) => keep(k, iq3sGrid()),
  d: (k, block) => scaledHalf(k, mem(block), 1),
  emit: (k, block, x, totals, kept) => {
    const high = (index: Vec) => {
      const ninth = k.registers.mask('ninth bits');
      k.x.kmovq(ninth, mem(block, 66));
      return [topBits(k, index), ninth];
    };
    const parts = () => {
      const signs = k.registers.zmm('signs');
      const scales = k.registers.zmm('scales');
      k.x.vpmovzxdq(signs, mem(block, 74));
      k.x.vpbroadcastd(scales, mem(block, 106));
      // Nibble q to the dwords of quad q.
      k.x.vpsrlvd(
        scales,
        scales,
        places(k, (place) => (place & 3 ? 0 : 4 * (place >> 3))),
      );
      k.x.vpaddd(scales, scales, scales);
      oddOf(k, scales, kept);
      return { signs, scales };
    };
    product(k, iq3sGrid(), block, high, parts, x, totals, kept);
  },
});
