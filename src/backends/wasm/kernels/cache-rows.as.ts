/** Reading rows of a cache as f32. */
import { f16ToF32 } from '../../../kernels/half.as';
import { CACHE_F16, CACHE_F32, Q8_BLOCK, Q8_BYTES } from './cache-types.as';

/**
 * Columns `column .. column + size` of `rows` rows of a cache of `type` to `dst` as f32, `stride` bytes from row to
 * row. `src` is the first row, `bytes` a row's bytes in the cache.
 */
export function readRows(
  type: i32, src: usize, bytes: usize, column: i32, size: i32, rows: i32, dst: usize, stride: usize,
): void {
  for (let row = 0; row < rows; row++, src += bytes, dst += stride) {
    if (type == CACHE_F32) memory.copy(dst, src + (<usize>column << 2), <usize>size << 2);
    else if (type == CACHE_F16) readHalves(src + (<usize>column << 1), dst, size);
    else readBlocks(src, column, size, dst);
  }
}

/**
 * Four finite f16, widened to i32, as f32: the bits moved to their places are the number times 2^-112, subnormal ones
 * too. Infinities and NaN come out as 2^16 and more.
 */
export function finiteHalves4(widened: v128): v128 {
  const bits = v128.and(i32x4.shl(widened, 13), i32x4.splat(0x8fffe000));
  return f32x4.mul(bits, f32x4.splat(5.192296858534828e33)); // 2^112
}

/** Whether there is no infinity or NaN among `n` columns, a multiple of 8, of `rows` rows, `bytes` apart, of f16. */
export function allFinite(src: usize, bytes: usize, n: i32, rows: i32): bool {
  const magnitude = i16x8.splat(0x7fff);
  let top = i16x8.splat(0);
  for (let row = 0; row < rows; row++, src += bytes) {
    for (let at = src, end = src + (<usize>n << 1); at < end; at += 16) {
      top = i16x8.max_u(top, v128.and(v128.load(at), magnitude));
    }
  }
  return !v128.any_true(i16x8.ge_u(top, i16x8.splat(0x7c00)));
}

function readHalves(src: usize, dst: usize, n: i32): void {
  const even = n & ~7;
  if (allFinite(src, 0, even, 1)) {
    for (let end = src + (<usize>even << 1); src < end; src += 16, dst += 32) {
      v128.store(dst, finiteHalves4(v128.load16x4_s(src)));
      v128.store(dst, finiteHalves4(v128.load16x4_s(src, 8)), 16);
    }
    n -= even;
  }
  for (let i = 0; i < n; i++, src += 2, dst += 4) store<f32>(dst, f16ToF32(load<u16>(src)));
}

/** A head need not begin or end with a block: 80 columns are two and a half. */
function readBlocks(row: usize, column: i32, size: i32, dst: usize): void {
  const end = column + size;
  while (column < end) {
    const within = column % Q8_BLOCK;
    const n = min(Q8_BLOCK - within, end - column);
    const block = row + (column / Q8_BLOCK) * Q8_BYTES;
    readCodes(block + 2 + within, f16ToF32(load<u16>(block)), n, dst);
    column += n;
    dst += <usize>n << 2;
  }
}

function readCodes(src: usize, d: f32, n: i32, dst: usize): void {
  const scale = f32x4.splat(d);
  let i = 0;
  for (; i + 8 <= n; i += 8, src += 8, dst += 32) {
    const codes = v128.load8x8_s(src);
    v128.store(dst, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(codes)), scale));
    v128.store(dst, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(codes)), scale), 16);
  }
  for (; i < n; i++, src++, dst += 4) store<f32>(dst, <f32>load<i8>(src) * d);
}
