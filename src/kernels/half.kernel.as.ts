/** Whole-array f16 conversions: `n` values from `src` to `dst` (bytes: 2 n and 4 n). */
import { f16ToF32, f32ToF16 } from './half.as';

export function half_f16_to_f32(src: usize, dst: usize, n: i32): void {
  for (let i: usize = 0; i < <usize>n; i++) store<f32>(dst + (i << 2), f16ToF32(load<u16>(src + (i << 1))));
}

export function half_f32_to_f16(src: usize, dst: usize, n: i32): void {
  for (let i: usize = 0; i < <usize>n; i++) store<u16>(dst + (i << 1), <u16>f32ToF16(load<f32>(src + (i << 2))));
}
