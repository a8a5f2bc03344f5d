/** Steps that the fast products of codebook formats share (`BlockDot`): signs, scales, points by loads. */
import type { KernelBuilder } from '../kernel.ts';
import type { Gpr, Mask, Memory, Register, Vec } from '../x64/index.ts';
import { masked, memAt, xmm, ymm } from '../x64/index.ts';
import { places } from './grid-parts.ts';
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

/** Emits the indices of a quad's four points as words into `into`; `free` may be used up. */
export type PackedIndices = (quad: number, into: Gpr, free: Gpr) => void;

/** The four chunks of a block's codes, by loads of 8 codes a point. */
export function loadedChunks(k: KernelBuilder, grid: Gpr, packed: PackedIndices): Vec[] {
  const halves = [0, 1].map((half) => {
    const [lower, upper] = [2 * half, 2 * half + 1].map((lane) => loadedLane(k, grid, lane, packed));
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
function loadedLane(k: KernelBuilder, grid: Gpr, lane: number, packed: PackedIndices): Register<'zmm'>[] {
  const [left, right, index, other] = ['left', 'right', 'index', 'other'].map((name) => k.gpr(name));
  packed(2 * lane, left, index);
  packed(2 * lane + 1, right, index);
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
