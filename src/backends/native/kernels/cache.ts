/** Writing rows of keys and values to a cache, converted to its type. */
import {
  SPAN_BYTES,
  SPAN_FIRST,
  SPAN_PAST,
  SPAN_ROWS,
  SPAN_START,
} from '../../wasm/kernels/spans-layout.as.ts';
import { defineKernel, type KernelBuilder, type KernelSource } from '../kernel.ts';
import { type Gpr, mem, memAt, type Vec, xmm, ymm } from '../x64/index.ts';
import { eachColumns, lowerHalf } from './columns.ts';
import { acrossLanes } from './lanes.ts';
import { PIECE, spare } from './work.ts';

/** Columns of a q8_0 block, and its bytes: d f16, then 32 i8. */
const Q8_BLOCK = 32;
const Q8_BYTES = 34;

interface CachePiece {
  /** The row that is read, from its begin. */
  readonly src: Gpr;
  /** The row of the cache. */
  readonly dst: Gpr;
  /** The piece's first column, and how many there are. */
  readonly from: Gpr;
  readonly count: Gpr;
}

/** Where a thread is in the rows of all spans. */
interface Place {
  readonly span: Gpr;
  readonly spans: Gpr;
  readonly row: Gpr;
  /** Number of the row's first piece. */
  readonly first: Gpr;
}

/** Emits `body` for the pieces of rows, over all spans, that this thread claims. */
function eachCachePiece(k: KernelBuilder, body: (piece: CachePiece) => void): void {
  spare(k);
  const place: Place = { ...k.ints('span', 'spans'), row: k.gpr('row'), first: k.gpr('first') };
  k.clear(place.row, place.first);
  const [next, out] = [k.label(), k.label()];
  k.bind(next);
  const from = k.gpr('piece');
  k.claim(from);
  findPlace(k, place, from, () => k.jmp(out));
  k.x.sub(from, place.first);
  k.x.imul(from, from, PIECE);
  const count = k.int('cols');
  const most = k.gpr('most');
  k.x.sub(count, from);
  k.x.mov(most, PIECE);
  k.x.cmp(count, most);
  k.x.cmov('g', count, most);
  k.free(most);
  const [src, dst] = [k.gpr('src'), k.gpr('dst')];
  addresses(k, place, src, dst);
  body({ src, dst, from, count });
  k.jmp(next);
  k.bind(out);
}

/** Goes on to the span, and the row in it, that a piece belongs to; pieces come in ascending order. @param end emits what is done where there are no more. */
function findPlace(k: KernelBuilder, { span, spans, row, first }: Place, piece: Gpr, end: () => void): void {
  const [pieces, rest] = [k.int('cols'), k.gpr('rest')];
  k.x.add(pieces, PIECE - 1);
  k.x.shr(pieces, Math.log2(PIECE));
  const [advance, found] = [k.here(), k.label()];
  k.x.test(spans, spans);
  k.when('e', end);
  k.x.load32s(rest, mem(span, SPAN_ROWS));
  k.x.cmp(row, rest);
  k.when('ge', () => {
    k.clear(row);
    k.x.add(span, SPAN_BYTES);
    k.x.sub(spans, 1);
    k.jmp(advance);
  });
  k.x.mov(rest, piece);
  k.x.sub(rest, first);
  k.x.cmp(rest, pieces);
  k.j('l', found);
  k.x.add(first, pieces);
  k.x.add(row, 1);
  k.jmp(advance);
  k.bind(found);
  k.free(pieces, rest);
}

function addresses(k: KernelBuilder, { span, row }: Place, src: Gpr, dst: Gpr): void {
  const position = k.gpr('position');
  k.x.load32s(src, mem(span, SPAN_FIRST));
  k.x.add(src, row);
  k.x.vcvttsd2si(position, k.arg('stride'));
  k.x.imul(src, position);
  k.x.vcvttsd2si(position, k.arg('x'));
  k.x.add(src, position);
  k.x.load32s(position, mem(span, SPAN_START));
  k.x.load32s(dst, mem(span, SPAN_PAST));
  k.x.add(position, dst);
  k.x.add(position, row);
  k.x.vcvttsd2si(dst, k.arg('rowBytes'));
  k.x.imul(position, dst);
  k.x.vcvttsd2si(dst, k.arg('cache'));
  k.x.add(dst, position);
  k.free(position);
}

type Store = (k: KernelBuilder, piece: CachePiece) => void;

const storeF32: Store = (k, { src, dst, from, count }) => {
  const value = k.vec('value');
  eachColumns(k, from, count, ([part]) => {
    part.load(value, src);
    part.store(dst, value);
  });
};

/** To nearest, ties to even. */
const storeF16: Store = (k, { src, dst, from, count }) => {
  const value = k.vec('value');
  eachColumns(k, from, count, ([part]) => {
    part.load(value, src);
    k.x.vcvtps2ph(lowerHalf(k, value), value, 0);
    part.store(dst, lowerHalf(k, value), 2);
  });
};

/** Blocks of 32 columns, of which a row has whole ones only. */
const storeQ8: Store = (k, { src, dst, from, count }) => {
  k.x.lea(src, memAt(src, from, 4));
  k.x.shr(from, Math.log2(Q8_BLOCK));
  k.x.imul(from, from, Q8_BYTES);
  k.x.add(dst, from);
  k.x.shr(count, Math.log2(Q8_BLOCK));
  k.countdown(count, () => {
    storeBlock(k, src, dst);
    k.x.add(src, 4 * Q8_BLOCK);
    k.x.add(dst, Q8_BYTES);
  });
};

/**
 * 32 numbers as d = largest / 127 and codes x / d, from d before it is rounded to f16, to nearest, ties to even. A NaN
 * becomes d: compared as integers it is the largest.
 */
function storeBlock(k: KernelBuilder, src: Gpr, dst: Gpr): void {
  const values = k.vecs('value', Q8_BLOCK / k.lanes);
  const [top, magnitude] = k.vecs('top', 2);
  for (const [i, value] of values.entries()) {
    k.x.vmovups(value, mem(src, i * k.level.bytes));
    k.x.vandps(i === 0 ? top : magnitude, value, k.i32(0x7fffffff));
    if (i > 0) k.x.vpmaxud(top, top, magnitude);
  }
  acrossLanes(k, top, 'vpmaxud');
  const inverse = magnitude;
  inverseOf(k, top, inverse);
  k.x.vcvtps2ph(xmm(top), xmm(top), 0);
  k.x.vpextrw(mem(dst), xmm(top), 0);
  for (const value of values) {
    k.x.vmulps(value, value, inverse);
    k.x.vcvtps2dq(value, value);
  }
  storeCodes(k, values, dst);
  k.free(top, magnitude, ...values);
}

/** `top` = top / 127 in lane 0; `inverse` = 1 / top in all lanes, 0 where top is 0. */
function inverseOf(k: KernelBuilder, top: Vec, inverse: Vec): void {
  const [low, bits] = [xmm(top), k.gpr('bits')];
  k.x.vdivss(low, low, k.f32(127));
  k.zero(inverse);
  k.x.vmovd_store(bits, low);
  k.x.test(bits, bits);
  k.when('ne', () => {
    k.x.vmovss(xmm(inverse), k.f32(1));
    k.x.vdivss(xmm(inverse), xmm(inverse), low);
    k.x.vbroadcastss(inverse, xmm(inverse));
  });
  k.free(bits);
}

/** i32 codes to bytes, with saturation, behind the block's d. */
function storeCodes(k: KernelBuilder, values: readonly Vec[], dst: Gpr): void {
  if (k.level.avx512) {
    for (const [i, value] of values.entries()) k.x.vpmovsdb(mem(dst, 2 + 16 * i), value);
    return;
  }
  const [a, b, c, d] = values;
  k.x.vpackssdw(a, a, b);
  k.x.vpackssdw(c, c, d);
  k.x.vpacksswb(a, a, c);
  // Packing works within halves of 128 bits: codes lie by fours as 0 2 4 6 1 3 5 7.
  k.x.vmovups(b, k.constant(new Uint8Array(Int32Array.of(0, 4, 1, 5, 2, 6, 3, 7).buffer)));
  k.x.vpermd(a, b, a);
  k.x.vmovdqu_store(mem(dst, 2), ymm(a));
}

/**
 * Rows of `cols` f32 from `x` (`stride` bytes from row to row) to their rows of the cache, `rowBytes` each.
 * `span` is the address of a table of `spans` spans.
 */
const storeKernel = (name: string, store: Store): KernelSource =>
  defineKernel({
    name,
    args: ['x', 'stride', 'cache', 'rowBytes', 'cols', 'span', 'spans'],
    emit: (k) => eachCachePiece(k, (piece) => store(k, piece)),
  });

export const CACHE_KERNELS: readonly KernelSource[] = [
  storeKernel('cache_store_f32', storeF32),
  storeKernel('cache_store_f16', storeF16),
  storeKernel('cache_store_q8_0', storeQ8),
];
