/**
 * What IQ3_XXS and IQ3_S share: points of four components of three bits. Packed points are kept as two tables of six bits:
 * components 0 and 1, components 2 and 3.
 */
import type { Codebook } from '../../../quants/index.ts';
import type { KernelBuilder } from '../kernel.ts';
import type { Mask, Memory, Register, Vec } from '../x64/index.ts';
import { keptPlaces, lookUp, places, pointTable } from './grid-parts.ts';

/** Control of the byte permutations and shifts that spread packed points over bytes. */
export interface SpreadKept {
  readonly [name: string]: Register;
  /** Pairs of bytes from the two tables, points 0..31 and 32..63, in the order that `digits` takes them. */
  readonly pairsLow: Vec;
  readonly pairsHigh: Vec;
  /** Shifts that bring each code of the first or second eight of 16 to the bottom of a byte. */
  readonly digitsLow: Vec;
  readonly digitsHigh: Vec;
}

/** The point that stands in word `word` of `first` (n = 0) or `second` (1). */
export type PointOrder = (word: number, n: 0 | 1) => number;

/** Weights as they follow each other: quads hold 8 weights of the first 64 of the 128, then 8 of the second. */
export const inOrder: PointOrder = (word, n) =>
  32 * n + 16 * ((word >> 1) & 1) + 2 * (word >> 2) + (word & 1);

export function keepSpread(k: KernelBuilder, order: PointOrder): SpreadKept {
  const pairs = (n: 0 | 1) => (place: number) => order(place >> 1, n) + 64 * (place & 1);
  const digits = (n: number) => (place: number) =>
    32 * n + 16 * ((place >> 2) & 1) + 8 * ((place >> 1) & 1) + 3 * (place & 1);
  return {
    pairsLow: keptPlaces(k, 'pairs low', pairs(0)),
    pairsHigh: keptPlaces(k, 'pairs high', pairs(1)),
    digitsLow: keptPlaces(k, 'digits low', digits(0)),
    digitsHigh: keptPlaces(k, 'digits high', digits(1)),
  };
}

export interface Iq3Shared {
  readonly [name: string]: Register;
  /** Packed points of the first and the second 128 weights, in the order of `pairsLow`. */
  readonly first: Vec;
  readonly second: Vec;
}

/** The two tables of packed points. */
export interface PointTables {
  readonly lower: readonly (Memory | Vec)[];
  readonly upper: readonly (Memory | Vec)[];
}

export function pointTables(k: KernelBuilder, { packed }: Codebook): PointTables {
  const bytes = (shift: number) =>
    pointTable(
      k,
      Uint8Array.from(packed, (point) => (point >> shift) & 63),
    );
  return { lower: bytes(0), upper: bytes(6) };
}

/** Packed points of a block. @param index 64 bytes: the low bits of the indices. @param masks their high bits. */
export function packedPoints(
  k: KernelBuilder,
  tables: PointTables,
  index: Vec,
  masks: readonly Mask[],
  kept: SpreadKept,
): Iq3Shared {
  const first = lookUp(k, tables.lower, index, masks, 1);
  const upper = lookUp(k, tables.upper, index, masks, 1);
  const second = k.registers.zmm('second');
  k.x.vmovdqu8(second, first);
  k.x.vpermt2b(second, kept.pairsHigh, upper);
  k.x.vpermt2b(first, kept.pairsLow, upper);
  k.free(upper);
  return { first, second };
}

/** The codes of the eight digits, again and again: what the bits above a digit are does not matter. */
export function codesOfDigits(
  k: KernelBuilder,
  { levels }: Codebook,
  codeOf: (value: number) => number,
): Memory {
  return places(k, (place) => codeOf(levels[place & 7]));
}

/** The 64 codes of chunk i without their signs. @param codes of all digits. */
export function spreadPoints(
  k: KernelBuilder,
  codes: Vec | Memory,
  i: number,
  target: Vec,
  kept: SpreadKept,
  { first, second }: Iq3Shared,
): void {
  k.x.vpmultishiftqb(target, i & 1 ? kept.digitsHigh : kept.digitsLow, i & 2 ? second : first);
  k.x.vpermb(target, target, codes);
}

/** The bits above the lowest seven of byte indices: bit 7. */
export function topBits(k: KernelBuilder, index: Vec): Mask {
  const top = k.registers.mask('top bits');
  k.x.vpmovb2m(top, index);
  return top;
}
