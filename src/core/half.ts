/**
 * Half floats, exact in both directions: IEEE binary16 (f16) and bfloat16 (bf16, the upper half of an f32).
 * Encoding rounds to nearest, ties to even, as the hardware and ggml do.
 */

/** The largest finite f16. */
export const MAX_F16 = 65504;

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** Value of f16 bits, computed. */
function computeF16(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 31;
  const mantissa = h & 1023;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

let f16Values: Float32Array | undefined;

/** All 65,536 f16 values by their bits; made on first use (256 KiB). */
function f16Table(): Float32Array {
  f16Values ??= Float32Array.from({ length: 65536 }, (_, h) => computeF16(h));
  return f16Values;
}

/** @param h f16 bits, 0..65535. */
export function f16ToF32(h: number): number {
  return f16Table()[h];
}

/** f16 bits of a number that is first rounded to f32. Values beyond 65504 become infinite. */
export function f32ToF16(value: number): number {
  float[0] = value;
  const x = bits[0];
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and more round to infinity
  if (magnitude < 0x38800000) {
    // Subnormal f16: adding 0.5 puts the units of 2^-24 into the low mantissa bits, rounded to even.
    float[0] = Math.abs(float[0]) + 0.5;
    return sign | (bits[0] - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

/** The f16 value nearest to `value`. */
export function roundToF16(value: number): number {
  return f16ToF32(f32ToF16(value));
}

/** @param b bf16 bits, 0..65535. */
export function bf16ToF32(b: number): number {
  bits[0] = b << 16;
  return float[0];
}

/** bf16 bits of a number that is first rounded to f32; NaN stays NaN (quiet). */
export function f32ToBf16(value: number): number {
  float[0] = value;
  const x = bits[0];
  if ((x & 0x7fffffff) > 0x7f800000) return (x >>> 16) | 64;
  return (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
}
