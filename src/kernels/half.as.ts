/** f16 conversions for kernels; same rounding as src/core/half.ts. */

/** The largest finite f16. */
export const MAX_F16: f32 = 65504;

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

/** `f32ToF16` of four values, as i32. */
export function f32ToF16x4(values: v128): v128 {
  const magnitude = v128.and(values, i32x4.splat(0x7fffffff));
  const sign = i32x4.shr_u(v128.xor(values, magnitude), 16);
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const rounded = i32x4.add(i32x4.add(magnitude, odd), i32x4.splat(0xfff - 0x38000000));
  let bits = i32x4.shr_u(rounded, 13);
  const subnormal = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  bits = v128.bitselect(subnormal, bits, i32x4.lt_s(magnitude, i32x4.splat(0x38800000)));
  bits = v128.bitselect(i32x4.splat(0x7c00), bits, i32x4.ge_s(magnitude, i32x4.splat(0x477ff000)));
  bits = v128.bitselect(i32x4.splat(0x7e00), bits, i32x4.gt_s(magnitude, i32x4.splat(0x7f800000)));
  return v128.or(bits, sign);
}

/** bf16 bits of the nearest bf16, ties to even; NaN stays NaN (quiet). */
export function f32ToBf16(value: f32): u32 {
  const x = reinterpret<u32>(value);
  if ((x & 0x7fffffff) > 0x7f800000) return (x >> 16) | 64;
  return (x + 0x7fff + ((x >> 16) & 1)) >> 16;
}

/** `f32ToBf16` of four values, as i32. */
export function f32ToBf16x4(values: v128): v128 {
  const upper = i32x4.shr_u(values, 16);
  const odd = v128.and(upper, i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(values, odd), i32x4.splat(0x7fff)), 16);
  return v128.bitselect(rounded, v128.or(upper, i32x4.splat(64)), f32x4.eq(values, values));
}

/** The f16 value nearest to `value`. */
export function roundToF16(value: f32): f32 {
  return f16ToF32(f32ToF16(value));
}

/** Four finite values rounded to the nearest f16 values, and to +-65504 beyond the range. */
export function roundToF16x4(values: v128): v128 {
  const bits = v128.and(values, i32x4.splat(0x7fffffff));
  const odd = v128.and(i32x4.shr_u(bits, 13), i32x4.splat(1));
  const normal = v128.and(i32x4.add(bits, i32x4.add(odd, i32x4.splat(0xfff))), i32x4.splat(~0x1fff));
  const half = f32x4.splat(0.5); // its unit in the last place is that of subnormal f16
  const subnormal = f32x4.sub(f32x4.add(bits, half), half);
  const small = f32x4.lt(bits, f32x4.splat(6.103515625e-5)); // 2^-14
  const magnitude = f32x4.pmin(v128.bitselect(subnormal, normal, small), f32x4.splat(65504));
  return v128.or(magnitude, v128.and(values, i32x4.splat(0x80000000)));
}
