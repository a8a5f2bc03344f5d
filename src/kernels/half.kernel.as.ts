/** Whole-array f16 conversions: `n` values from `src` to `dst` (bytes: 2 n and 4 n). */
import { f16ToF32, f32ToBf16, f32ToBf16x4, f32ToF16, f32ToF16x4 } from './half.as';

export function half_f16_to_f32(src: usize, dst: usize, n: i32): void {
  for (let i: usize = 0; i < <usize>n; i++) store<f32>(dst + (i << 2), f16ToF32(load<u16>(src + (i << 1))));
}

export function half_f32_to_f16(src: usize, dst: usize, n: i32): void {
  for (let i: usize = 0; i < <usize>n; i++) store<u16>(dst + (i << 1), <u16>f32ToF16(load<f32>(src + (i << 2))));
}

/** F16 rows, as an encoder: `importance` and `effort` have no say. */
export function f16_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  const n = <usize>rows * <usize>cols;
  let i: usize = 0;
  for (; i + 8 <= n; i += 8) {
    const at = src + (i << 2);
    const bits = i16x8.narrow_i32x4_u(f32ToF16x4(v128.load(at)), f32ToF16x4(v128.load(at, 16)));
    v128.store(dst + (i << 1), bits);
  }
  for (; i < n; i++) store<u16>(dst + (i << 1), <u16>f32ToF16(load<f32>(src + (i << 2))));
}

/** BF16 rows, as an encoder: `importance` and `effort` have no say. */
export function bf16_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  const n = <usize>rows * <usize>cols;
  let i: usize = 0;
  for (; i + 8 <= n; i += 8) {
    const at = src + (i << 2);
    const bits = i16x8.narrow_i32x4_u(f32ToBf16x4(v128.load(at)), f32ToBf16x4(v128.load(at, 16)));
    v128.store(dst + (i << 1), bits);
  }
  for (; i < n; i++) store<u16>(dst + (i << 1), <u16>f32ToBf16(load<f32>(src + (i << 2))));
}
