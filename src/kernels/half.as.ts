/** f16 conversions for kernels; same rounding as src/core/half.ts. */

/** Value of f16 bits. */
export function f16ToF32(h: u32): f32 {
  const sign: u32 = (h & 0x8000) << 16;
  const magnitude = h & 0x7fff;
  if (magnitude < 0x400) {
    const value = <f32>magnitude * <f32>5.960464477539063e-8; // 2^-24
    return reinterpret<f32>(reinterpret<u32>(value) | sign);
  }
  if (magnitude >= 0x7c00) return reinterpret<f32>(sign | 0x7f800000 | ((magnitude & 0x3ff) << 13));
  return reinterpret<f32>(sign | ((magnitude << 13) + 0x38000000));
}

/** f16 bits of the nearest f16, ties to even; 65520 and more become infinite. */
export function f32ToF16(value: f32): u32 {
  const x = reinterpret<u32>(value);
  const sign = (x >> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    return sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + <f32>0.5) - 0x3f000000);
  }
  const odd = (magnitude >> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13);
}

/** The f16 value nearest to `value`. */
export function roundToF16(value: f32): f32 {
  return f16ToF32(f32ToF16(value));
}
