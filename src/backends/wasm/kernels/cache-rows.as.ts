/** Reading rows of a cache as f32. */
import { f16ToF32 } from '../../../kernels/half.as';
import { CACHE_F16, CACHE_F32, Q8_BLOCK, Q8_BYTES } from './cache-types.as';

/**
 * Columns `column .. column + size` of `rows` rows of a cache of `type` to `dst` as f32, `stride` bytes from row to row.
 * `src` is the first row, `bytes` a row's bytes in the cache.
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
 * Four f16 as f32: the bits moved to their places are the number times 2^-112, subnormal ones too; infinities and NaN,
 * the only ones that end up at 2^16 and above, get their exponent back.
 */
function halves4(src: usize): v128 {
  const bits = v128.and(i32x4.shl(v128.load16x4_s(src), 13), i32x4.splat(0x8fffe000));
  const value = f32x4.mul(bits, f32x4.splat(5.192296858534828e33)); // 2^112
  const beyond = f32x4.ge(f32x4.abs(value), f32x4.splat(65536));
  return v128.or(value, v128.and(beyond, i32x4.splat(0x7f800000)));
}

function readHalves(src: usize, dst: usize, n: i32): void {
  let i = 0;
  for (; i + 8 <= n; i += 8, src += 16, dst += 32) {
    v128.store(dst, halves4(src));
    v128.store(dst, halves4(src + 8), 16);
  }
  for (; i < n; i++, src += 2, dst += 4) store<f32>(dst, f16ToF32(load<u16>(src)));
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
