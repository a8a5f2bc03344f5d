/**
 * Steps that the unpackers of codebook formats share. A point of a codebook is looked up in one of two ways: by loads from
 * a table of its 4 or 8 codes, one a point, which every machine can do; or, with VBMI and up to 512 points, by permutations of
 * a table of packed points in registers, 64 or 32 points at a time, whose digits are spread over bytes afterwards. On a
 * Zen 4 the second way takes a half to two thirds of the time of the first (gathers take more than either).
 */
import type { Codebook } from '../../../quants/index.ts';
import type { KernelBuilder } from '../kernel.ts';
import type { Gpr, Mask, Memory, Register, Vec } from '../x64/index.ts';
import { memAt, plus, xmm, ymm, zmm } from '../x64/index.ts';
import type { Kept, Unpack } from './unpack.ts';

/** One way of taking blocks apart; members of `Unpack` mean the same there. */
export interface Way<K extends Kept, S extends Kept> {
  setup(k: KernelBuilder): K;
  share?(k: KernelBuilder, block: Gpr, kept: K): S;
  codes(k: KernelBuilder, block: Gpr, i: number, target: Vec, kept: K, shared: S): void;
}

/** The members of `Unpack` that differ with the level: `vbmi` where the machine has it, else `loads`. */
export function eitherWay<K extends Kept, S extends Kept, L extends Kept, T extends Kept>(
  loads: Way<L, T>,
  vbmi: Way<K, S>,
): Required<Pick<Unpack, 'setup' | 'share' | 'codes'>> {
  const way = (k: KernelBuilder): Way<Kept, Kept> => (k.level.vbmi ? vbmi : loads) as Way<Kept, Kept>;
  return {
    setup: (k) => way(k).setup(k),
    share: (k, block, kept) => way(k).share?.(k, block, kept) ?? {},
    codes: (k, block, i, target, kept, shared) => way(k).codes(k, block, i, target, kept, shared ?? {}),
  };
}

/** Eight bytes as a constant, low byte first; a number's 64 bits are too many for one. */
export function eight(k: KernelBuilder, ...pattern: readonly number[]): Memory {
  return k.constant(Uint8Array.from({ length: 8 }, (_, i) => pattern[i % pattern.length]));
}

/** One byte for every place of a zmm. */
export function places(k: KernelBuilder, byteAt: (place: number) => number): Memory {
  return k.constant(Uint8Array.from({ length: 64 }, (_, i) => byteAt(i)));
}

/** The same bytes in a new zmm. */
export function keptPlaces(
  k: KernelBuilder,
  name: string,
  byteAt: (place: number) => number,
): Register<'zmm'> {
  const register = k.registers.zmm(name);
  k.x.vmovdqu8(register, places(k, byteAt));
  return register;
}

/** Address of a table of the codes of all points, one after the other. */
export function gridTable(k: KernelBuilder, { values }: Codebook, codeOf: (value: number) => number): Gpr {
  const grid = k.gpr('grid');
  k.x.lea(grid, k.constant(Uint8Array.from(values, codeOf)));
  return grid;
}

/** Emits what makes the place in `grid` of each of four points known, in their order. */
export type PointPlaces = (point: 0 | 1 | 2 | 3) => Memory;

/** Places of points whose indices are four words of `packed`, which is used up. */
export function packedPlaces(
  k: KernelBuilder,
  grid: Gpr,
  packed: Gpr,
  index: Gpr,
  bytes: 4 | 8,
): PointPlaces {
  return (point) => {
    if (point === 3) return memAt(grid, packed, bytes);
    k.x.load16(index, packed);
    k.x.shr(packed, 16);
    return memAt(grid, index, bytes);
  };
}

/** Places of points whose indices are bytes in memory. */
export function bytePlaces(k: KernelBuilder, grid: Gpr, at: Memory, index: Gpr, bytes: 4 | 8): PointPlaces {
  return (point) => {
    k.x.load8(index, plus(at, point));
    return memAt(grid, index, bytes);
  };
}

/** Four points of eight codes, in the lower half of `target`. */
export function fourOfEight(k: KernelBuilder, target: Vec, place: PointPlaces): void {
  const upper = k.registers.xmm('upper');
  k.x.vmovsd(xmm(target), place(0));
  k.x.vmovhps(xmm(target), xmm(target), place(1));
  k.x.vmovsd(upper, place(2));
  k.x.vmovhps(upper, upper, place(3));
  k.x.vinserti128(ymm(target), ymm(target), upper, 1);
  k.free(upper);
}

/** Four points of four codes, in the lowest quarter of `target`. */
export function fourOfFour(k: KernelBuilder, target: Vec, place: PointPlaces): void {
  k.x.vmovd(xmm(target), place(0));
  for (const point of [1, 2, 3] as const) k.x.vpinsrd(xmm(target), xmm(target), place(point), point);
}

/** The parts of a vector, made one after the other: 2 halves, or the 4 or 2 quarters of 16 bytes. */
export function joined(
  k: KernelBuilder,
  target: Vec,
  partBytes: 16 | 32,
  make: (part: Vec, n: number) => void,
): void {
  if (partBytes === 16) {
    const half = (into: Vec, n: number) =>
      k.scope(() => {
        make(into, n);
        const upper = k.registers.xmm('upper');
        make(upper, n + 1);
        k.x.vinserti128(ymm(into), ymm(into), upper, 1);
      });
    joined(k, target, 32, (into, n) => half(into, 2 * n));
    return;
  }
  make(target, 0);
  if (target.bytes === 32) return;
  k.scope(() => {
    const upper = k.registers.ymm('upper half');
    make(upper, 1);
    k.x.vinserti64x4(zmm(target), zmm(target), upper, 1);
  });
}

/** `into` = bits of `low` moved to the places of `lowBits`, and those of `high` to the places of `highBits`. */
export function deposit(
  k: KernelBuilder,
  into: Gpr,
  lowBits: Memory | Gpr,
  high: Gpr,
  highBits: Memory | Gpr,
): void {
  k.x.pdep(into, into, lowBits);
  k.x.pdep(high, high, highBits);
  k.x.or(into, high);
}

/** Packed points in bytes or words, as operands of `lookUp`. */
export function pointTable(k: KernelBuilder, points: Uint8Array | Uint16Array): Memory[] {
  const bytes = new Uint8Array(points.buffer, points.byteOffset, points.byteLength);
  return Array.from({ length: bytes.length / 64 }, (_, i) =>
    k.constant(bytes.subarray(64 * i, 64 * (i + 1))),
  );
}

const PERMUTE = { 1: 'vpermt2b', 2: 'vpermt2w' } as const;
const BLEND = { 1: 'vmovdqu8', 2: 'vmovdqu16' } as const;

/**
 * A new zmm: the entry of the table for every index in `index`, bytes or words. The masks hold the bits of the indices above
 * those that tell the places of two vectors apart, lowest first.
 */
export function lookUp(
  k: KernelBuilder,
  table: readonly (Memory | Vec)[],
  index: Vec,
  masks: readonly Mask[],
  entryBytes: 1 | 2,
): Register<'zmm'> {
  if (table.length === 2) {
    const found = k.registers.zmm('found');
    k.x.vmovdqu8(found, table[0]);
    k.x[PERMUTE[entryBytes]](found, index, table[1]);
    return found;
  }
  const half = table.length / 2;
  const below = lookUp(k, table.slice(0, half), index, masks.slice(0, -1), entryBytes);
  const above = lookUp(k, table.slice(half), index, masks.slice(0, -1), entryBytes);
  k.x[BLEND[entryBytes]](
    { kind: 'masked', target: below, mask: masks[masks.length - 1], zero: false },
    above,
  );
  k.free(above);
  return below;
}

/** Words of 2 scale + 1 from the nibbles of 8 bytes, low ones first: 16 of them, one per 16 weights. */
export function sixteenNibbles(k: KernelBuilder, at: Memory): Register<'ymm'> {
  const bytes = oddNibbles(k, at, 'vmovq');
  const scales = k.registers.ymm('scales');
  k.x.vpmovzxbw(scales, bytes);
  k.free(bytes);
  return scales;
}

/** The same from 4 bytes, each scale twice. */
export function eightNibbles(k: KernelBuilder, at: Memory): Register<'ymm'> {
  const bytes = oddNibbles(k, at, 'vmovd');
  const scales = k.registers.ymm('scales');
  k.x.vpunpcklbw(bytes, bytes, bytes);
  k.x.vpmovzxbw(scales, bytes);
  k.free(bytes);
  return scales;
}

/** Bytes 2 n + 1 for the nibbles n of some bytes, low ones first. */
function oddNibbles(k: KernelBuilder, at: Memory, load: 'vmovd' | 'vmovq'): Register<'xmm'> {
  const low = k.registers.xmm('low');
  const high = k.registers.xmm('high');
  k.x[load](high, at);
  k.x.vpsllw(low, high, 1);
  k.x.vpsrlw(high, high, 3);
  k.x.vpunpcklbw(low, low, high);
  k.free(high);
  odd(k, low, 1);
  return low;
}

/** Elements of 1, 2 or 4 bytes: 2 n + 1, where n are four bits above the lowest of the element. */
export function odd(k: KernelBuilder, vector: Vec, bytes: 1 | 2 | 4): void {
  const all = (value: number) => {
    const element = Array.from({ length: bytes }, (_, i) => (i === 0 ? value : 0));
    return k.constant(Uint8Array.from({ length: vector.bytes }, (_, i) => element[i % bytes]));
  };
  k.x.vpand(vector, vector, all(30));
  k.x.vpor(vector, vector, all(1));
}

/** Eight dwords below 2^16 as 16 words, each twice. */
export function twice(k: KernelBuilder, dwords: Vec): void {
  const upper = k.registers.ymm('upper words');
  k.x.vpslld(upper, dwords, 16);
  k.x.vpor(dwords, dwords, upper);
  k.free(upper);
}

/** The f16 at `at` times a power of two, as f32 in lane 0. */
export function scaledHalf(k: KernelBuilder, at: Memory, factor: number): Register<'xmm'> {
  const d = k.registers.xmm('d');
  k.x.vpbroadcastw(d, at);
  k.x.vcvtph2ps(d, d);
  if (factor !== 1) k.x.vmulss(d, d, k.f32(factor));
  return d;
}
