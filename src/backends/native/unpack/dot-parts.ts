/** Steps that the fast products of codebook formats share (`BlockDot`): signs, scales, points by loads. */
import type { KernelBuilder } from '../kernel.ts';
import type { Gpr, Mask, Memory, Register, Vec } from '../x64/index.ts';
import { masked, mem, memAt, xmm, ymm } from '../x64/index.ts';
import { deposit, eight, places } from './grid-parts.ts';
import type { DotOperands } from './unpack.ts';

/** Operands of `oddOf` and the zero that signs are turned with. */
export interface DotKept {
  readonly [name: string]: Register;
  readonly zero: Vec;
  /** The bits of a scale, one above the lowest, in every dword. */
  readonly scaleBits: Vec;
}

export function keepDot(k: KernelBuilder, bits: 14 | 30): DotKept {
  const zero = k.registers.zmm('zero');
  const scaleBits = k.registers.zmm('scale bits');
  k.zero(zero);
  k.x.vmovdqu8(scaleBits, k.i32(bits));
  return { zero, scaleBits };
}

/** vpternlogd: (a & b) | c and (a & b) ^ c. */
const AND_OR = 0xea;
export const AND_XOR = 0x6a;

/** Dwords 2 s + 1 of the bits that stand one above the lowest. */
export function oddOf(k: KernelBuilder, vector: Vec, { scaleBits }: DotKept): void {
  k.x.vpternlogd(vector, scaleBits, k.i32(1), AND_OR);
}

/** `totals` += codes times a chunk of activations, whose signs are turned where `signs` says so. */
export function addChunk(
  k: KernelBuilder,
  x: DotOperands,
  chunk: number,
  codes: Vec,
  totals: readonly Vec[],
  turned?: { readonly signs: Mask; readonly zero: Vec },
): void {
  totals.forEach((total, plane) => {
    const at = x.codes(plane, chunk);
    if (!turned) {
      k.x.vpdpbusd(total, codes, at);
      return;
    }
    const own = k.registers.zmm('activations');
    k.x.vmovdqu8(own, at);
    k.x.vpsubb(masked(own, turned.signs), turned.zero, own);
    k.x.vpdpbusd(total, codes, own);
    k.free(own);
  });
}

/** The sign bits of a chunk: byte `byteOf(chunk)` of every quad of `signs`. */
export function signsOfChunk(k: KernelBuilder, signs: Vec, byte: number): Mask {
  const mask = k.registers.mask('signs');
  k.x.vpshufbitqmb(
    mask,
    signs,
    places(k, (place) => 8 * byte + (place & 7)),
  );
  return mask;
}

/** Scales of 16 weights: of the first and the second half of the 32 of a quad. */
export interface HalfScales {
  readonly first: Register<'zmm'>;
  readonly second: Register<'zmm'>;
}

/** From 8 bytes of two nibbles. */
export function nibbleScales(k: KernelBuilder, at: Memory, kept: DotKept): HalfScales {
  const first = k.registers.zmm('first scales');
  const second = k.registers.zmm('second scales');
  k.x.vpbroadcastq(second, at);
  // Byte q to the dwords of quad q.
  k.x.vpshufb(
    second,
    second,
    places(k, (place) => (place & 3 ? 128 : place >> 3)),
  );
  k.x.vpslld(first, second, 1);
  k.x.vpsrld(second, second, 3);
  oddOf(k, first, kept);
  oddOf(k, second, kept);
  return { first, second };
}

/** Chunks 0 and 1 have the first halves' scales, 2 and 3 the second ones': a second set of totals, and the sum of both. */
export function inHalves(
  k: KernelBuilder,
  totals: readonly Vec[],
  others: readonly Vec[],
  { first, second }: HalfScales,
): void {
  totals.forEach((total, plane) => {
    k.x.vpmulld(total, total, first);
    k.x.vpmulld(others[plane], others[plane], second);
    k.x.vpaddd(total, total, others[plane]);
  });
  k.free(first, second, ...others);
}

/** Totals for the second halves. */
export function otherTotals(k: KernelBuilder, totals: readonly Vec[]): Vec[] {
  return totals.map((_, plane) => k.registers.zmm(`other totals ${plane}`));
}

/** Masks in registers for indices of a byte and some high bits: loads are what products by loads wait for. */
export function keepIndexMasks(
  k: KernelBuilder,
  highBits: number,
): { readonly low: Gpr; readonly high: Gpr } {
  const low = k.gpr('low mask');
  const high = k.gpr('high mask');
  k.x.mov(low, eight(k, 255, 0));
  k.x.mov(high, eight(k, 0, highBits));
  return { low, high };
}

/** Where the indices of a block's 32 points stand: their low bytes, and their high bits, so many bytes a quad. */
export interface IndexPlaces {
  readonly block: Gpr;
  readonly low: number;
  readonly high: number;
  readonly highBytes: 1 | 2;
  /** Which of the high bits, of two quads. */
  readonly highMask?: number;
}

export interface IndexMasks {
  readonly low: Gpr;
  readonly high: Gpr;
  readonly grid: Gpr;
}

/** The indices of two quads as words. Few loads: two a pair of quads. */
function packedIndices(
  k: KernelBuilder,
  { block, low, high, highBytes, highMask }: IndexPlaces,
  masks: IndexMasks,
  lane: number,
  [left, right, leftHigh, rightHigh]: readonly Gpr[],
): void {
  k.x.mov(left, mem(block, low + 8 * lane));
  if (highBytes === 2) k.x.load32(leftHigh, mem(block, high + 4 * lane));
  else k.x.load16(leftHigh, mem(block, high + 2 * lane));
  if (highMask) k.x.and(leftHigh, highMask);
  k.x.mov(right, left);
  k.x.mov(rightHigh, leftHigh);
  k.x.shr(right, 32);
  k.x.shr(rightHigh, 8 * highBytes);
  deposit(k, left, masks.low, leftHigh, masks.high);
  deposit(k, right, masks.low, rightHigh, masks.high);
}

/** The four chunks of a block's codes, by loads of 8 codes a point. */
export function loadedChunks(k: KernelBuilder, places: IndexPlaces, masks: IndexMasks): Vec[] {
  const halves = [0, 1].map((half) => {
    const [lower, upper] = [2 * half, 2 * half + 1].map((lane) => loadedLane(k, places, masks, lane));
    lower.forEach((part, chunk) => {
      k.x.vinserti32x4(ymm(part), ymm(part), xmm(upper[chunk]), 1);
    });
    k.free(...upper);
    return lower;
  });
  halves[0].forEach((part, chunk) => {
    k.x.vinserti64x4(part, part, ymm(halves[1][chunk]), 1);
  });
  k.free(...halves[1]);
  return halves[0];
}

/** Two quads of every chunk, in the lowest lanes of four registers. */
function loadedLane(
  k: KernelBuilder,
  places: IndexPlaces,
  masks: IndexMasks,
  lane: number,
): Register<'zmm'>[] {
  const { grid } = masks;
  const [left, right, index, other] = ['left', 'right', 'index', 'other'].map((name) => k.gpr(name));
  packedIndices(k, places, masks, lane, [left, right, index, other]);
  const parts = Array.from({ length: 4 }, (_, chunk) => {
    const part = k.registers.zmm(`lane ${lane} of chunk ${chunk}`);
    const last = chunk === 3;
    if (!last) {
      k.x.load16(index, left);
      k.x.load16(other, right);
      k.x.shr(left, 16);
      k.x.shr(right, 16);
    }
    k.x.vmovsd(xmm(part), memAt(grid, last ? left : index, 8));
    k.x.vmovhps(xmm(part), xmm(part), memAt(grid, last ? right : other, 8));
    return part;
  });
  k.free(left, right, index, other);
  return parts;
}
