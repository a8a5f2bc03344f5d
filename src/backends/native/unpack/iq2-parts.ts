/** What IQ2_XXS and IQ2_XS share with VBMI: points of eight components of two bits, packed in words. */
import type { Codebook } from '../../../quants/index.ts';
import type { KernelBuilder } from '../kernel.ts';
import type { Mask, Memory, Register, Vec } from '../x64/index.ts';
import { keptPlaces, lookUp, places } from './grid-parts.ts';

export interface DigitsKept {
  readonly [name: string]: Register;
  /** Shifts that bring each code of the first to fourth of a quad's points to the bottom of a byte. */
  readonly digits0: Vec;
  readonly digits1: Vec;
  readonly digits2: Vec;
  readonly digits3: Vec;
}

export function keepDigits(k: KernelBuilder): DigitsKept {
  const digits = (point: number) => keptPlaces(k, `digits ${point}`, (place) => 16 * point + 2 * (place & 7));
  return { digits0: digits(0), digits1: digits(1), digits2: digits(2), digits3: digits(3) };
}

/** Which of a block's 32 points stands in a word: every quad has one of each 64 weights. */
export const pointOfWord = (word: number): number => 8 * (word & 3) + (word >> 2);

export interface Iq2Shared {
  readonly [name: string]: Register;
  /** Packed points in the order of `pointOfWord`. */
  readonly points: Vec;
}

/** Packed points of a block. @param index words in the order of `pointOfWord`; bits above the index do not matter. */
export function packedWords(k: KernelBuilder, table: readonly (Memory | Vec)[], index: Vec): Iq2Shared {
  const masks: Mask[] = [];
  for (let bit = 64; bit < 32 * table.length; bit *= 2) {
    const mask = k.registers.mask(`bit ${bit}`);
    k.x.vptestmw(mask, index, k.i16(bit));
    masks.push(mask);
  }
  const points = lookUp(k, table, index, masks, 2);
  k.free(...masks);
  return { points };
}

/**
 * The codes of the digits, again and again: what the bits above a digit are does not matter. A digit of 3 occurs in no
 * point.
 */
export function codesOfPairs(
  k: KernelBuilder,
  { levels }: Codebook,
  codeOf: (value: number) => number,
): Memory {
  return places(k, (place) => codeOf(levels[place & 3] ?? 0));
}

/** The 64 codes of chunk i without their signs. @param codes of all digits. */
export function spreadWords(
  k: KernelBuilder,
  codes: Vec | Memory,
  i: number,
  target: Vec,
  kept: DigitsKept,
  { points }: Iq2Shared,
): void {
  const digits = [kept.digits0, kept.digits1, kept.digits2, kept.digits3][i];
  k.x.vpmultishiftqb(target, digits, points);
  k.x.vpermb(target, target, codes);
}
