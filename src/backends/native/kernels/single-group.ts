/**
 * One group of weights times one group of activations: what the loops of single.ts repeat. Codes are multiplied as bytes
 * (vpdpbusd, or vpmaddubsw without it), four or two neighbours at a time, then with their scales, all exactly in i32.
 */
import type { KernelBuilder } from '../kernel.ts';
import type { Header, Kept, Unpack } from '../unpack/index.ts';
import { type Gpr, type Memory, mem, memAt, type Register, type Vec, xmm, ymm, zmm } from '../x64/index.ts';
import type { SingleArg } from './single.ts';

type Builder = KernelBuilder<SingleArg>;

export interface Group {
  /** Addresses of the group's activations: codes and sums of the first plane, scales of the last; without sums `sums` is `codes`. */
  readonly codes: Gpr;
  readonly sums: Gpr;
  readonly scales: Gpr;
  /** f32 sums of a row. */
  readonly accumulators: readonly Vec[];
  /** The one of them that is subtracted. */
  readonly mins: Vec | undefined;
  /** Emits the addresses of a row's first group; without it they are the arguments. */
  begin?(): void;
  /** Groups a round of the loop takes. */
  readonly unroll: number;
  /** The n-th group behind the addresses; `weights` points to the first one's block. */
  emit(weights: Gpr, n: number): void;
}

/** Largest code whose product with four activations, 4 * 127 * code, is an i16: then scaling takes one instruction. */
const MOST_WORDS = 64;
/** Largest code whose product with two activations is an i16 (vpmaddubsw saturates). */
const MOST_PAIRS = 128;

/** Operands of the planes: at `base`, and in the second plane `on` bytes further. */
interface Planes {
  readonly count: 1 | 2;
  readonly codes: Gpr;
  readonly sums: Gpr;
  readonly scales: Gpr;
  readonly on: { readonly codes: Gpr; readonly sums: Gpr } | undefined;
}

function planesOf(k: Builder, count: 1 | 2): Planes {
  const [codes, sums, scales] = ['codes', 'sums', 'scales'].map((name) => k.gpr(name));
  if (count === 1) return { count, codes, sums, scales, on: undefined };
  const on = { codes: k.int('codePlane'), sums: k.int('sumPlane') };
  return { count, codes, sums, scales, on };
}

type Part = 'codes' | 'sums';

/** A part of the activations, plane by plane. */
function places(planes: Planes, part: Part, disp: number): Memory[] {
  const first = mem(planes[part], disp);
  return planes.on ? [first, memAt(planes[part], planes.on[part], 1, disp)] : [first];
}

/** The scale of the last plane: with two, the first one's is 128 times as large. */
function scaleAt(planes: Planes, disp: number): Memory {
  return mem(planes.scales, disp);
}

/** i32 sums of each plane to one f32 vector, in units of the last plane's scale. */
function toFloat(k: Builder, totals: readonly Vec[]): Vec {
  const [first, second] = totals;
  k.x.vcvtdq2ps(first, first);
  if (!second) return first;
  k.x.vcvtdq2ps(second, second);
  k.x.vfmadd231ps(second, first, floats(k, first, 128));
  return second;
}

function floats(k: Builder, like: Vec, value: number): Memory {
  return k.constant(new Uint8Array(new Float32Array(like.bytes / 4).fill(value).buffer));
}

function words(k: Builder, bytes: number, value: number): Memory {
  return k.constant(new Uint8Array(new Int16Array(bytes / 2).fill(value).buffer));
}

/** `accumulator += factor * scale * value`, the first two in lane 0; or -= where it collects mins: it is subtracted at the end. */
function accumulate(k: Builder, accumulator: Vec, factor: Vec, scale: Memory, value: Vec): void {
  k.scope(() => {
    const product = k.registers.xmm('product');
    k.x.vmulss(product, xmm(factor), scale);
    const all = value.bytes === 64 ? zmm(product) : ymm(product);
    if (value.bytes > 16) k.x.vbroadcastss(all, product);
    const same = value.bytes === 16 ? product : all;
    k.x.vfmadd231ps(accumulator, same, value);
  });
}

/** Whether four products of a code with an activation fit an i16. */
const small = ({ most }: Unpack): boolean => most <= MOST_WORDS;

/** Whether two chunks' products are packed to i16 and scaled at once. */
const paired = (k: Builder, unpack: Unpack): boolean =>
  k.level.avx512 && unpack.scaled !== undefined && small(unpack);

/** At 512 bits, the places of scales: of each chunk's dwords, or of the words of each pair of chunks. */
function indicesOf(k: Builder, unpack: Unpack): Vec[] {
  if (!k.level.avx512 || unpack.scaled === undefined) return [];
  if (!paired(k, unpack)) {
    return k.vecs('index', 4).map((index, i) => {
      const lanes = Array.from({ length: 16 }, (_, lane) => 4 * i + (lane >> 2));
      k.x.vmovdqu(index, k.constant(new Uint8Array(Int32Array.from(lanes).buffer)));
      return index;
    });
  }
  // Packing puts 4 sums of the first chunk and 4 of the second into each 128 bits.
  return k.vecs('index', 2).map((index, i) => {
    const lanes = Array.from({ length: 32 }, (_, word) => 8 * i + (word & 4) + (word >> 3));
    k.x.vmovdqu(index, k.constant(new Uint8Array(Int16Array.from(lanes).buffer)));
    return index;
  });
}

/** Scales of a block where `chunkScales` finds them. */
type Spread = readonly Vec[];

/** Takes the header's scales and leaves them as the chunks want them. */
function spread(k: Builder, unpack: Unpack, scales: Register<'ymm'>): Spread {
  if (k.level.avx512) {
    if (!small(unpack)) k.x.vpmovsxwd(zmm(scales), scales);
    return [zmm(scales)];
  }
  // Scales 0 to 7 in both halves, and 8 to 15.
  const low = k.registers.ymm('low scales');
  k.x.vpermq(low, scales, 0b01_00_01_00);
  k.x.vpermq(scales, scales, 0b11_10_11_10);
  return [low, scales];
}

/** Scales of chunk i in `target`: i32 a lane, of small codes as i16 with zeros between, without VNNI 16 i16. */
function chunkScales(
  k: Builder,
  unpack: Unpack,
  from: Spread,
  indices: readonly Vec[],
  i: number,
  target: Vec,
): void {
  if (k.level.avx512) {
    k.x.vpermd(target, indices[i], from[0]);
    return;
  }
  const ZERO = 128;
  const order = Array.from({ length: 32 }, (_, byte) => {
    const scale = 2 * ((2 * i + (byte >> 4)) & 7) + (byte & 1);
    const lower = (byte & 2) === 0;
    if (!k.level.vnni) return scale;
    return lower === small(unpack) ? scale : ZERO;
  });
  k.x.vpshufb(target, from[i >> 2], k.constant(Uint8Array.from(order)));
  if (k.level.vnni && !small(unpack)) k.x.vpsrad(target, target, 16);
}

/** Whether codes are multiplied with their offset taken off, as signed bytes. */
const signed = (k: Builder, { most }: Unpack): boolean => !k.level.vnni && most > MOST_PAIRS;

/** `total += codes * x * scales`, with scales undefined where all are 1. Destroys `codes` where they are signed and x is the last. */
function multiply(
  k: Builder,
  unpack: Unpack,
  codes: Vec,
  x: Memory,
  total: Vec,
  scales: Vec | undefined,
): void {
  if (k.level.vnni && !scales) {
    k.x.vpdpbusd(total, codes, x);
    return;
  }
  k.scope(() => {
    const product = like(k, codes, 'product');
    if (!k.level.vnni) {
      pairs(k, unpack, product, codes, x);
      k.x.vpmaddwd(product, product, scales ?? words(k, codes.bytes, 1));
      k.x.vpaddd(total, total, product);
      return;
    }
    k.zero(product);
    k.x.vpdpbusd(product, codes, x);
    if (!scales) return;
    if (small(unpack)) k.x.vpdpwssd(total, product, scales);
    else {
      k.x.vpmulld(product, product, scales);
      k.x.vpaddd(total, total, product);
    }
  });
}

/** Sums of two products as i16. */
function pairs(k: Builder, unpack: Unpack, product: Vec, codes: Vec, x: Memory): void {
  if (!signed(k, unpack)) {
    k.x.vpmaddubsw(product, codes, x);
    return;
  }
  k.scope(() => {
    const magnitude = like(k, codes, 'magnitude');
    const value = like(k, codes, 'value');
    k.x.vpsubb(value, codes, k.u8(unpack.offset));
    k.x.vpabsb(magnitude, value);
    k.x.vmovdqu(product, x);
    k.x.vpsignb(value, product, value);
    k.x.vpmaddubsw(product, magnitude, value);
  });
}

function like(k: Builder, { bytes }: Vec, name: string): Vec {
  return bytes === 64 ? k.registers.zmm(name) : k.registers.ymm(name);
}

/** Blocks of 256. */
export function wideGroup(k: Builder, unpack: Unpack, kept: Kept, count: 1 | 2): Group {
  const planes = planesOf(k, count);
  const indices = indicesOf(k, unpack);
  const sum = k.vec('sum');
  const mins = unpack.mins ? k.registers.ymm('mins of the row') : undefined;
  const emit = (weights: Gpr, n: number): void => {
    if (n > 0) throw new Error('one block of 256 a round');
    const header = unpack.header(k, weights, kept);
    if (mins) subtractMins(k, planes, header, mins);
    const totals = Array.from({ length: count }, (_, plane) => k.vec(`total${plane}`));
    offsetTotals(k, unpack, planes, header.scales, totals);
    const scales = header.scales && spread(k, unpack, header.scales);
    const shared = unpack.share?.(k, weights, kept) ?? {};
    if (scales && paired(k, unpack)) {
      const chunk = (i: number): Vec[] => byteProducts(k, unpack, planes, i, { weights, kept, shared });
      indices.forEach((index, pair) => {
        k.scope(() => {
          const [first, second] = [chunk(2 * pair), chunk(2 * pair + 1)];
          const own = k.vec('own scales');
          k.x.vpermw(own, index, scales[0]);
          first.forEach((product, plane) => {
            k.x.vpackssdw(product, product, second[plane]);
            k.x.vpdpwssd(totals[plane], product, own);
          });
        });
      });
    } else {
      for (let i = 0; i * k.level.bytes < 256; i++) {
        k.scope(() => {
          const codes = k.vec('codes');
          unpack.codes(k, weights, i, codes, kept, shared);
          const own = scales && k.vec('own scales');
          if (own) chunkScales(k, unpack, scales, indices, i, own);
          places(planes, 'codes', i * k.level.bytes).forEach((x, plane) => {
            multiply(k, unpack, codes, x, totals[plane], own);
          });
        });
      }
    }
    accumulate(k, sum, header.d, scaleAt(planes, 0), toFloat(k, totals));
    k.free(...[header.d, header.scales].filter((one) => one !== undefined));
  };
  const { codes, sums, scales } = planes;
  return { codes, sums, scales, accumulators: mins ? [sum, mins] : [sum], mins, unroll: 1, emit };
}

/** Sums of 4 products of chunk i with each plane. */
function byteProducts(
  k: Builder,
  unpack: Unpack,
  planes: Planes,
  i: number,
  { weights, kept, shared }: { readonly weights: Gpr; readonly kept: Kept; readonly shared: Kept },
): Vec[] {
  const products = k.vecs(`products of ${i}, plane `, planes.count);
  const codes = k.vec('codes');
  unpack.codes(k, weights, i, codes, kept, shared);
  places(planes, 'codes', 64 * i).forEach((x, plane) => {
    k.zero(products[plane]);
    k.x.vpdpbusd(products[plane], codes, x);
  });
  k.free(codes);
  return products;
}

/** `mins += dmin * scale * sum of min * x`; gives the header's registers for mins back. */
function subtractMins(k: Builder, planes: Planes, header: Header, mins: Vec): void {
  const { dmin, mins: factors } = header;
  if (!dmin || !factors) throw new Error('an unpacker with mins has them in its header');
  k.scope(() => {
    const totals = places(planes, 'sums', 0).map((sums) => {
      const total = k.registers.ymm('min total');
      k.x.vpmaddwd(total, factors, sums);
      return total;
    });
    accumulate(k, mins, dmin, scaleAt(planes, 0), toFloat(k, totals));
  });
  k.free(dmin, factors);
}

/** Totals begin with what the offset of all codes makes too much. `scales` stay. */
function offsetTotals(
  k: Builder,
  unpack: Unpack,
  planes: Planes,
  scales: Vec | undefined,
  totals: readonly Vec[],
): void {
  if (unpack.offset === 0 || signed(k, unpack)) {
    k.zero(...totals);
    return;
  }
  k.scope(() => {
    const factors = k.registers.ymm('factors');
    if (scales) k.x.vpmullw(factors, ymm(scales), words(k, 32, -unpack.offset));
    else k.x.vmovdqu(factors, words(k, 32, -unpack.offset));
    places(planes, 'sums', 0).forEach((sums, plane) => {
      k.x.vpmaddwd(ymm(totals[plane]), factors, sums);
    });
  });
}

/** Accumulators of blocks of 32: as many as hide the time of an addition. */
const ROUND = 4;

/** Blocks of 32, at 256 bits on every level. */
export function narrowGroup(k: Builder, unpack: Unpack, kept: Kept, count: 1 | 2): Group {
  const planes = planesOf(k, count);
  const sums = Array.from({ length: ROUND }, (_, n) => k.registers.ymm(`sum${n}`));
  const mins = unpack.mins ? k.registers.ymm('mins of the row') : undefined;
  const emit = (weights: Gpr, n: number): void => {
    const block = k.gpr('block');
    k.x.lea(block, mem(weights, n * unpack.blockBytes));
    const { d, dmin } = unpack.header(k, block, kept);
    if (mins && dmin) {
      k.scope(() => {
        const totals = pairSums(k, planes, n, 1);
        accumulate(k, xmm(mins), dmin, scaleAt(planes, 4 * n), toFloat(k, totals));
      });
      k.free(dmin);
    }
    const offset = signed(k, unpack) ? 0 : unpack.offset;
    const totals = offset ? pairSums(k, planes, n, -offset).map(ymm) : planeTotals(k, count);
    const codes = k.registers.ymm('codes');
    unpack.codes(k, block, 0, codes, kept, unpack.share?.(k, block, kept) ?? {});
    places(planes, 'codes', 32 * n).forEach((x, plane) => {
      multiply(k, unpack, codes, x, totals[plane], undefined);
    });
    accumulate(k, sums[n], d, scaleAt(planes, 4 * n), toFloat(k, totals));
    k.free(d);
  };
  const accumulators = mins ? [...sums, mins] : sums;
  return { ...planes, accumulators, mins, unroll: ROUND, emit };
}

function planeTotals(k: Builder, count: 1 | 2): Register<'ymm'>[] {
  return Array.from({ length: count }, (_, plane) => {
    const total = k.registers.ymm(`total${plane}`);
    k.zero(total);
    return total;
  });
}

/** `factor` times the sum of the n-th 32 codes of each plane, in lane 0 of i32 vectors whose other lanes are 0. */
function pairSums(k: Builder, planes: Planes, n: number, factor: number): Register<'xmm'>[] {
  return places(planes, 'sums', 4 * n).map((sums, plane) => {
    const total = k.registers.xmm(`total${plane}`);
    k.x.vmovd(total, sums);
    k.x.vpmaddwd(total, total, words(k, 16, factor));
    return total;
  });
}
