/** The pair of a group, d and dmin, as the contract of `Plane` in format.ts has them. */
import { f16ToF32 } from '../../kernels/half.as';

export function storePair(scales: usize, d: f32, dmin: f32): void {
  store<f32>(scales, d);
  store<f32>(scales, dmin, 4);
}

/** Pair of a group without min, whose d is the f16 at `at`, times `unit` (a power of two: exact). */
export function storeScale(scales: usize, at: usize, unit: f32 = 1): void {
  storePair(scales, f16ToF32(load<u16>(at)) * unit, 0);
}

/** Writes 16 codes, a signed byte each. */
export function storeSigned(codes: usize, c: v128): void {
  v128.store(codes, i16x8.extend_low_i8x16_s(c));
  v128.store(codes, i16x8.extend_high_i8x16_s(c), 16);
}

/** Writes 16 codes, an unsigned byte each. */
export function storeUnsigned(codes: usize, c: v128): void {
  v128.store(codes, i16x8.extend_low_i8x16_u(c));
  v128.store(codes, i16x8.extend_high_i8x16_u(c), 16);
}

/** Writes 16 codes: signed bytes times a factor in 16-bit lanes. */
export function storeScaled(codes: usize, c: v128, factor: v128): void {
  v128.store(codes, i16x8.mul(i16x8.extend_low_i8x16_s(c), factor));
  v128.store(codes, i16x8.mul(i16x8.extend_high_i8x16_s(c), factor), 16);
}
