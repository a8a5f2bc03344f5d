/** Writing rows of keys and values to a cache, converted to its type. */
import { f32ToF16, f32ToF16x4 } from '../../../kernels/half.as';
import { Q8_BLOCK, Q8_BYTES } from './cache-types.as';
import { SPAN_BYTES, SPAN_FIRST, SPAN_PAST, SPAN_ROWS, SPAN_START } from './spans-layout.as';

/** Address of the row of a cache at which a span's tokens begin. */
function targetOf(span: usize, cache: usize, rowBytes: usize): usize {
  return cache + <usize>(load<i32>(span, SPAN_START) + load<i32>(span, SPAN_PAST)) * rowBytes;
}

/**
 * Rows of `cols` f32 from `x` (`stride` bytes from row to row) to their rows of the cache, `rowBytes` each. The threads
 * share the blocks of 32 columns of all rows of a span evenly.
 * @param span table of `spans` spans.
 */
export function cache_store_f32(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  x: usize, stride: usize, cache: usize, rowBytes: usize, cols: i32, span: usize, spans: i32,
): void {
  const blocks = (cols + 31) / 32;
  for (; spans > 0; spans--, span += SPAN_BYTES) {
    const src = x + <usize>load<i32>(span, SPAN_FIRST) * stride, dst = targetOf(span, cache, rowBytes);
    const all = <i64>load<i32>(span, SPAN_ROWS) * blocks;
    for (let i = (all * thread) / threads, end = (all * (thread + 1)) / threads; i < end; i++) {
      const row = <usize>(i / blocks);
      const column = <i32>(i % blocks) * 32;
      const bytes = <usize>min(cols - column, 32) << 2;
      memory.copy(dst + row * rowBytes + (<usize>column << 2), src + row * stride + (<usize>column << 2), bytes);
    }
  }
}

/** As `cache_store_f32`, to f16: to nearest, ties to even. */
export function cache_store_f16(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  x: usize, stride: usize, cache: usize, rowBytes: usize, cols: i32, span: usize, spans: i32,
): void {
  const blocks = (cols + 31) / 32;
  for (; spans > 0; spans--, span += SPAN_BYTES) {
    const src = x + <usize>load<i32>(span, SPAN_FIRST) * stride, dst = targetOf(span, cache, rowBytes);
    const all = <i64>load<i32>(span, SPAN_ROWS) * blocks;
    for (let i = (all * thread) / threads, end = (all * (thread + 1)) / threads; i < end; i++) {
      const row = <usize>(i / blocks);
      const column = <i32>(i % blocks) * 32;
      const n = min(cols - column, 32);
      storeHalves(src + row * stride + (<usize>column << 2), dst + row * rowBytes + (<usize>column << 1), n);
    }
  }
}

function storeHalves(src: usize, dst: usize, n: i32): void {
  let i = 0;
  for (; i + 8 <= n; i += 8, src += 32, dst += 16) {
    v128.store(dst, i16x8.narrow_i32x4_u(f32ToF16x4(v128.load(src)), f32ToF16x4(v128.load(src, 16))));
  }
  for (; i < n; i++, src += 4, dst += 2) store<u16>(dst, <u16>f32ToF16(load<f32>(src)));
}

/** As `cache_store_f32`, to q8_0; `cols` is a multiple of 32. */
export function cache_store_q8_0(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  x: usize, stride: usize, cache: usize, rowBytes: usize, cols: i32, span: usize, spans: i32,
): void {
  const blocks = cols / Q8_BLOCK;
  for (; spans > 0; spans--, span += SPAN_BYTES) {
    const src = x + <usize>load<i32>(span, SPAN_FIRST) * stride, dst = targetOf(span, cache, rowBytes);
    const all = <i64>load<i32>(span, SPAN_ROWS) * blocks;
    for (let i = (all * thread) / threads, end = (all * (thread + 1)) / threads; i < end; i++) {
      storeBlock(src + <usize>(i / blocks) * stride + <usize>(i % blocks) * 128, dst + <usize>i * Q8_BYTES);
    }
  }
}

/** 32 numbers as d = largest / 127 and codes x / d, rounded to nearest, halves away from zero. */
function storeBlock(src: usize, dst: usize): void {
  let top = f32x4.abs(v128.load(src));
  for (let i: usize = 16; i < 128; i += 16) top = f32x4.max(top, f32x4.abs(v128.load(src + i)));
  top = f32x4.max(top, i8x16.shuffle(top, top, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  const d = max(f32x4.extract_lane(top, 0), f32x4.extract_lane(top, 1)) / 127;
  store<u16>(dst, <u16>f32ToF16(d));
  const inverse = f32x4.splat(d != 0 ? <f32>1 / d : 0);
  for (let i: usize = 0; i < 32; i += 16) {
    const at = src + (i << 2);
    const low = i16x8.narrow_i32x4_s(code4(v128.load(at), inverse), code4(v128.load(at, 16), inverse));
    const high = i16x8.narrow_i32x4_s(code4(v128.load(at, 32), inverse), code4(v128.load(at, 48), inverse));
    v128.store(dst + i, i8x16.narrow_i16x8_s(low, high), 2);
  }
}

function code4(x: v128, inverse: v128): v128 {
  const scaled = f32x4.mul(x, inverse);
  const whole = f32x4.trunc(scaled);
  const half = f32x4.ge(f32x4.abs(f32x4.sub(scaled, whole)), f32x4.splat(0.5));
  const one = v128.or(v128.and(scaled, i32x4.splat(0x80000000)), f32x4.splat(1));
  return i32x4.trunc_sat_f32x4_s(f32x4.add(whole, v128.and(one, half)));
}
