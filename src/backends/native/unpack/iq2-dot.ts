/** Fast products of IQ2_XXS, IQ2_XS and IQ2_S. */
import { type Codebook, iq2sGrid, iq2xsGrid, iq2xxsGrid } from '../../../quants/index.ts';
import type { KernelBuilder } from '../kernel.ts';
import { mem, type Vec } from '../x64/index.ts';
import {
  addChunk,
  type DotKept,
  inHalves,
  keepDot,
  loadedChunks,
  nibbleScales,
  oddOf,
  otherTotals,
  signsOfChunk,
} from './dot-parts.ts';
import { deposit, eight, gridTable, keptPlaces, pointTable, scaledHalf } from './grid-parts.ts';
import {
  codesOfPairs,
  type DigitsKept,
  type Iq2Shared,
  keepDigits,
  packedWords,
  spreadWords,
} from './iq2-parts.ts';
import { parityMatrix } from './sign-parts.ts';
import { type DotOperands, defineDot } from './unpack.ts';

type Iq2Kept = DotKept & DigitsKept & { readonly codes: Vec };

function keep(k: KernelBuilder, book: Codebook): Iq2Kept {
  const codes = k.registers.zmm('codes of digits');
  k.x.vmovdqu8(
    codes,
    codesOfPairs(k, book, (value) => value),
  );
  const table: Record<string, Vec> = {};
  pointTable(k, book.packed).forEach((part, i) => {
    if (i % 2) return;
    table[`table${i}`] = k.registers.zmm(`table ${i}`);
    k.x.vmovdqu8(table[`table${i}`], part);
  });
  return { ...keepDot(k, 30), ...keepDigits(k), codes, ...table };
}

/** The table of packed points, with the parts that are kept in registers. */
const tableOf = (k: KernelBuilder, book: Codebook, kept: Iq2Kept) =>
  pointTable(k, book.packed).map((part, i) => (kept[`table${i}`] as Vec | undefined) ?? part);

/** Chunk `chunk`: its points, with sign bits in byte `byte` of every quad of `signs`. */
function addPoints(
  k: KernelBuilder,
  x: DotOperands,
  chunk: number,
  points: Iq2Shared,
  signs: Vec,
  byte: number,
  totals: readonly Vec[],
  kept: Iq2Kept,
): void {
  k.scope(() => {
    const codes = k.registers.zmm('codes');
    spreadWords(k, kept.codes, chunk, codes, kept, points);
    addChunk(k, x, chunk, codes, totals, { signs: signsOfChunk(k, signs, byte), zero: kept.zero });
  });
}

export const IQ2_XXS_DOT = defineDot({
  sums: false,
  setup: (k) => ({
    ...keep(k, iq2xxsGrid()),
    indices: keptPlaces(k, 'indices', (place) => 8 * (place >> 3) + ((place >> 1) & 3)),
    fields: keptPlaces(k, 'fields', (place) => 32 + 7 * (place & 3)),
  }),
  d: (k, block) => scaledHalf(k, mem(block), 0.125),
  emit: (k, block, x, totals, kept) =>
    k.scope(() => {
      const [parts, index, scales] = ['parts', 'index', 'scales'].map((name) => k.registers.zmm(name));
      k.x.vmovdqu8(parts, mem(block, 2));
      k.x.vpermb(index, kept.indices, parts);
      const points = packedWords(k, tableOf(k, iq2xxsGrid(), kept), index);
      k.x.vpshufd(scales, parts, 0xf5);
      k.x.vpsrld(scales, scales, 27);
      oddOf(k, scales, kept);
      k.x.vpmultishiftqb(parts, kept.fields, parts);
      k.x.vgf2p8affineqb(parts, parts, parityMatrix(k, 0), 0);
      k.zero(...totals);
      for (let chunk = 0; chunk < 4; chunk++) addPoints(k, x, chunk, points, parts, chunk, totals, kept);
      for (const total of totals) k.x.vpmulld(total, total, scales);
    }),
});

export const IQ2_XS_DOT = defineDot({
  sums: false,
  setup: (k) => keep(k, iq2xsGrid()),
  d: (k, block) => scaledHalf(k, mem(block), 0.125),
  emit: (k, block, x, totals, kept) =>
    k.scope(() => {
      const words = k.registers.zmm('words');
      k.x.vmovdqu8(words, mem(block, 2));
      const points = packedWords(k, tableOf(k, iq2xsGrid(), kept), words);
      // Of the upper bytes: seven bits above the index's last.
      k.x.vgf2p8affineqb(words, words, parityMatrix(k, 1), 0);
      const scales = nibbleScales(k, mem(block, 66), kept);
      const others = otherTotals(k, totals);
      k.zero(...totals, ...others);
      for (let chunk = 0; chunk < 4; chunk++) {
        addPoints(k, x, chunk, points, words, 2 * chunk + 1, chunk < 2 ? totals : others, kept);
      }
      inHalves(k, totals, others, scales);
    }),
});

export const IQ2_S_DOT = defineDot({
  sums: false,
  setup: (k) => ({ grid: gridTable(k, iq2sGrid(), (value) => value), ...keepDot(k, 30) }),
  d: (k, block) => scaledHalf(k, mem(block), 0.125),
  emit: (k, block, x, totals, kept) =>
    k.scope(() => {
      const chunks = loadedChunks(k, kept.grid, (quad, packed, high) => {
        k.x.load8(high, mem(block, 66 + quad));
        k.x.load32(packed, mem(block, 2 + 4 * quad));
        deposit(k, packed, eight(k, 255, 0), high, eight(k, 0, 3));
      });
      const signs = k.registers.zmm('signs');
      k.x.vpmovzxdq(signs, mem(block, 34));
      const scales = nibbleScales(k, mem(block, 74), kept);
      const others = otherTotals(k, totals);
      k.zero(...totals, ...others);
      chunks.forEach((codes, chunk) => {
        const mask = signsOfChunk(k, signs, chunk);
        addChunk(k, x, chunk, codes, chunk < 2 ? totals : others, { signs: mask, zero: kept.zero });
        k.free(mask);
      });
      inHalves(k, totals, others, scales);
    }),
});
