/**
 * What IQ3_XXS and IQ3_S share: points of four components of three bits. Packed points are kept as two tables of six bits:
 * components 0 and 1, components 2 and 3.
 */
import type { Codebook } from '../../../quants/index.ts';
import type { KernelBuilder } from '../kernel.ts';
import type { Mask, Register, Vec } from '../x64/index.ts';
import { keptPlaces, lookUp, places, pointTable } from './grid-parts.ts';
import { keepSigns, type SignsKept, signedCode } from './sign-parts.ts';

/** Control of the byte permutations and shifts that spread packed points over bytes. */
export interface SpreadKept extends SignsKept {
  /** Pairs of bytes from the two tables, points 0..31 and 32..63, in the order that `digits` takes them. */
  readonly pairsLow: Vec;
  readonly pairsHigh: Vec;
  /** Shifts that bring each code of the first or second eight of 16 to the bottom of a byte. */
  readonly digitsLow: Vec;
  readonly digitsHigh: Vec;
}

export function keepSpread(k: KernelBuilder): SpreadKept {
  // Quad q of pairs n holds points 32 n + 2 q and + 1 for the first 64 codes of its 128 and those 16 on for the second.
  const pairs = (n: number) => (place: number) => {
    const word = place >> 1;
    const point = 32 * n + 16 * ((word >> 1) & 1) + 2 * (word >> 2) + (word & 1);
    return point + 64 * (place & 1);
  };
  const digits = (n: number) => (place: number) =>
    32 * n + 16 * ((place >> 2) & 1) + 8 * ((place >> 1) & 1) + 3 * (place & 1);
  return {
    ...keepSigns(k),
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

/** Packed points of a block. @param index 64 bytes: the low bits of the indices. @param masks their high bits. */
export function packedPoints(
  k: KernelBuilder,
  book: Codebook,
  index: Vec,
  masks: readonly Mask[],
  kept: SpreadKept,
): Iq3Shared {
  const bytes = (shift: number) =>
    pointTable(
      k,
      Uint8Array.from(book.packed, (point) => (point >> shift) & 63),
    );
  const first = lookUp(k, bytes(0), index, masks, 1);
  const upper = lookUp(k, bytes(6), index, masks, 1);
  const second = k.registers.zmm('second');
  k.x.vmovdqu8(second, first);
  k.x.vpermt2b(second, kept.pairsHigh, upper);
  k.x.vpermt2b(first, kept.pairsLow, upper);
  k.free(upper);
  return { first, second };
}

/** The 64 codes of chunk i without their signs. */
export function spreadPoints(
  k: KernelBuilder,
  { levels }: Codebook,
  i: number,
  target: Vec,
  kept: SpreadKept,
  { first, second }: Iq3Shared,
): void {
  k.x.vpmultishiftqb(target, i & 1 ? kept.digitsHigh : kept.digitsLow, i & 2 ? second : first);
  // The bits above the digit select among equal entries.
  k.x.vpermb(
    target,
    target,
    places(k, (place) => signedCode(levels[place & 7])),
  );
}

/** The bits above the lowest seven of byte indices: bit 7. */
export function topBits(k: KernelBuilder, index: Vec): Mask {
  const top = k.registers.mask('top bits');
  k.x.vpmovb2m(top, index);
  return top;
}
