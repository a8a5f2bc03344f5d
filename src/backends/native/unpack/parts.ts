/** Steps that several unpackers share: constants, half floats, six-bit scales, nibbles. */
import type { KernelBuilder } from '../kernel.ts';
import type { Gpr, Memory, Register, Vec } from '../x64/index.ts';
import { mem, plus, zeroing } from '../x64/index.ts';

/** A constant of these bytes. */
export function bytesOf(k: KernelBuilder, bytes: readonly number[]): Memory {
  return k.constant(Uint8Array.from(bytes));
}

/** A constant of 16 times this byte: for headers, which work on xmm. */
export function sixteen(k: KernelBuilder, byte: number): Memory {
  return k.constant(new Uint8Array(16).fill(byte));
}

/** Half floats as f32. */
export interface Halves {
  readonly d: Register<'xmm'>;
  readonly dmin: Register<'xmm'>;
}

/** The f16 at `disp` as f32 in lane 0. */
export function half(k: KernelBuilder, block: Gpr, disp: number): Register<'xmm'> {
  const d = k.registers.xmm('d');
  k.x.vpbroadcastw(d, mem(block, disp));
  k.x.vcvtph2ps(d, d);
  return d;
}

/** The f16 at `disp` and the next one, each as f32 in lane 0. */
export function twoHalves(k: KernelBuilder, block: Gpr, disp: number): Halves {
  const d = k.registers.xmm('d');
  const dmin = k.registers.xmm('dmin');
  k.x.vmovd(d, mem(block, disp));
  k.x.vcvtph2ps(d, d);
  k.x.vmovshdup(dmin, d);
  return { d, dmin };
}

/** Each of 8 bytes from byte `first` of `bytes` on as two i16s. `bytes` stays. */
export function doubled(
  k: KernelBuilder,
  name: string,
  bytes: Register<'xmm'>,
  first: 0 | 8,
): Register<'ymm'> {
  const words = k.registers.ymm(name);
  k.scope(() => {
    const twice = k.registers.xmm('twice');
    const order = Array.from({ length: 16 }, (_, i) => first + (i >> 1));
    k.x.vpshufb(twice, bytes, bytesOf(k, order));
    k.x.vpmovzxbw(words, twice);
  });
  return words;
}

/**
 * The 16 bytes that open blocks of Q4_K and Q5_K: d, dmin, eight scales and eight mins of 6 bits (quants/six-bit.ts).
 * The upper four of each have their low bits as nibbles of the last dword and their high bits above those of the lower
 * four.
 */
export function sixBitHeader(k: KernelBuilder, block: Gpr) {
  const { d, dmin } = twoHalves(k, block, 0);
  const [low, high, nibbles] = ['low', 'high', 'nibbles'].map((name) => k.registers.xmm(name));
  // Dwords 1 and 2: of `low` the lower four scales and mins, of `high` the upper four.
  k.x.vmovdqu(low, mem(block));
  k.x.vpshufd(nibbles, low, 0xff);
  k.x.vpsrlvd(nibbles, nibbles, k.constant(new Uint8Array(Int32Array.of(0, 0, 4, 0).buffer)));
  k.x.vpand(nibbles, nibbles, sixteen(k, 15));
  k.x.vpsrld(high, low, 2);
  k.x.vpand(high, high, sixteen(k, 48));
  k.x.vpor(high, high, nibbles);
  k.x.vpand(low, low, sixteen(k, 63));
  k.x.vpunpckhdq(nibbles, low, high);
  k.x.vpunpckldq(low, low, high);
  const scales = doubled(k, 'scales', low, 8);
  const mins = doubled(k, 'mins', nibbles, 0);
  k.free(low, high, nibbles);
  return { d, dmin, scales, mins };
}

/** Constants of `pairedNibbles`. */
export interface NibbleMasks {
  readonly [name: string]: Register;
  /** 15 in every byte. */
  readonly nibble: Vec;
}

/** What `pairedNibbles` needs; `shift` exists on levels of 512 bits only. */
export function nibbleMasks(k: KernelBuilder): NibbleMasks {
  const nibble = k.vec('nibble');
  k.x.vmovdqu(nibble, k.u8(15));
  if (!k.level.avx512) return { nibble };
  return { nibble, shift: shiftsOfHalves(k, 0, 4) };
}

/** A zmm with one shift in the dwords of its lower half and another in its upper half. */
export function shiftsOfHalves(k: KernelBuilder, low: number, high: number): Vec {
  const shift = k.vec('shift');
  k.x.vmovdqu(shift, dwords(k, [...Array(8).fill(low), ...Array(8).fill(high)]));
  return shift;
}

export function dwords(k: KernelBuilder, values: readonly number[]): Memory {
  return k.constant(new Uint8Array(Int32Array.from(values).buffer));
}

/**
 * Nibbles of K-quants: of every 32 bytes first the low ones, then the high ones. Chunk i of 64 weights (512 bits) or
 * 32 (256 bits) from the codes at `codes`.
 */
export function pairedNibbles(
  k: KernelBuilder,
  codes: Memory,
  i: number,
  target: Vec,
  kept: NibbleMasks,
): void {
  const at = (pair: number): Memory => ({ ...codes, disp: codes.disp + 32 * pair });
  if (k.level.avx512) {
    k.x.vbroadcasti64x4(target, at(i));
    k.x.vpsrlvd(target, target, kept.shift);
    k.x.vpand(target, target, kept.nibble);
    return;
  }
  if (i & 1) {
    k.x.vmovdqu(target, at(i >> 1));
    k.x.vpsrlw(target, target, 4);
    k.x.vpand(target, target, kept.nibble);
  } else k.x.vpand(target, kept.nibble, at(i >> 1));
}

/** Halves of two 32-byte sub-blocks in one zmm: loads 32 bytes into both and shifts the dwords of each half right. */
export function shiftedHalves(k: KernelBuilder, from: Memory, shift: Vec, target: Vec): void {
  k.x.vbroadcasti64x4(target, from);
  k.x.vpsrlvd(target, target, shift);
}

/** Shifts of both halves by name; levels of 256 bits, which never ask for them, have none. */
export function wideShifts<N extends string>(
  k: KernelBuilder,
  shifts: Readonly<Record<N, readonly [number, number]>>,
): Readonly<Record<N, Vec>> {
  const all = Object.entries<readonly [number, number]>(k.level.avx512 ? shifts : {});
  const made = all.map(([name, [low, high]]) => [name, shiftsOfHalves(k, low, high)]);
  return Object.fromEntries(made) as Readonly<Record<N, Vec>>;
}

/** A vector of the level's width that holds a constant: its memory's lanes are all alike. */
export function held(k: KernelBuilder, name: string, constant: Memory): Vec {
  const vector = k.vec(name);
  k.x.vmovdqu(vector, constant);
  return vector;
}

/** Shifts every dword: left by positive counts, right by negative ones. */
export function shifted(k: KernelBuilder, target: Vec, source: Vec, left: number): void {
  if (left > 0) k.x.vpslld(target, source, left);
  else k.x.vpsrld(target, source, -left);
}

/** `target |= bits & mask`; destroys `bits` on levels without vpternlogd. */
export function orMasked(k: KernelBuilder, target: Vec, bits: Vec, mask: Vec): void {
  if (k.level.avx512) {
    k.x.vpternlogd(target, bits, mask, 0xf8);
    return;
  }
  k.x.vpand(bits, bits, mask);
  k.x.vpor(target, target, bits);
}

/** 16 bytes into each half of `target`, a ymm. */
export function twice(k: KernelBuilder, target: Vec, from: Memory): void {
  if (k.level.avx512) k.x.vbroadcasti32x4(target, from);
  else k.x.vbroadcasti128(target, from);
}

/** What blocks of 32 nibbles need: the low nibbles of 16 bytes are weights 0 to 15, the high ones 16 to 31. */
export function blockNibbleMasks(k: KernelBuilder) {
  const shift = k.registers.ymm('shift');
  const nibble = k.registers.ymm('nibble');
  k.x.vmovdqu(shift, dwords(k, [0, 0, 0, 0, 4, 4, 4, 4]));
  k.x.vmovdqu(nibble, k.constant(new Uint8Array(32).fill(15)));
  return { shift, nibble };
}

export function blockNibbles(
  k: KernelBuilder,
  from: Memory,
  target: Vec,
  { shift, nibble }: { readonly shift: Vec; readonly nibble: Vec },
): void {
  twice(k, target, from);
  k.x.vpsrlvd(target, target, shift);
  k.x.vpand(target, target, nibble);
}

/** Adds 16 to each of 32 codes whose bit of the u32 at `bits` is set. */
export function addFifthBits(k: KernelBuilder, bits: Memory, target: Vec): void {
  k.scope(() => {
    const added = k.registers.ymm('fifth bits');
    if (k.level.avx512) {
      const mask = k.registers.mask('fifth bits');
      k.x.kmovd(mask, bits);
      k.x.vmovdqu8(zeroing(added, mask), k.constant(new Uint8Array(32).fill(16)));
    } else {
      const single = bytesOf(
        k,
        Array.from({ length: 32 }, (_, i) => 1 << (i & 7)),
      );
      const order = Array.from({ length: 32 }, (_, i) => i >> 3);
      k.x.vpbroadcastd(added, bits);
      k.x.vpshufb(added, added, bytesOf(k, order));
      k.x.vpand(added, added, single);
      k.x.vpcmpeqb(added, added, single);
      k.x.vpand(added, added, k.constant(new Uint8Array(32).fill(16)));
    }
    k.x.vpor(target, target, added);
  });
}

/** d and, as dmin, the half behind it with its sign turned: what is added to each weight is subtracted elsewhere. */
export function scaleAndAddend(k: KernelBuilder, block: Gpr): Halves {
  const halves = twoHalves(k, block, 0);
  k.x.vxorps(halves.dmin, halves.dmin, k.constant(new Uint8Array(new Float32Array(4).fill(-0).buffer)));
  return halves;
}

/** Shifts of `pairs`, by the place of a chunk's fields in bytes. */
export function pairShifts(k: KernelBuilder) {
  return { field: held(k, 'field', k.u8(3)), ...wideShifts(k, { low: [0, 2], high: [4, 6] }) };
}

/** Fields of 2 bits: of every 32 bytes first the lowest fields, then the next. Chunk i from the bytes at `codes`. */
export function pairFields(
  k: KernelBuilder,
  codes: Memory,
  i: number,
  target: Vec,
  { field, low, high }: ReturnType<typeof pairShifts>,
): void {
  if (k.level.avx512) {
    shiftedHalves(k, plus(codes, 32 * (i >> 1)), i & 1 ? high : low, target);
    k.x.vpand(target, target, field);
    return;
  }
  const place = plus(codes, 32 * (i >> 2));
  if (i & 3) {
    k.x.vmovdqu(target, place);
    k.x.vpsrlw(target, target, 2 * (i & 3));
    k.x.vpand(target, target, field);
  } else k.x.vpand(target, field, place);
}
