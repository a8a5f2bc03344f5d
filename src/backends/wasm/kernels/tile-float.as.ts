/** Tiles of the f32 product: four weight rows by two tokens, or by one. */
import { f16ToF32 } from '../../../kernels/half.as';
import { FLOAT_STRIDE } from './layout.as';
import { gatherF32, laneSumsF32, loadOutputs, storeOutputs } from './sums.as';
import { f16x4 } from './widen.as';

/** y0[0..count] and y1[0..count] (+)= four panel rows of `width` weights at w times the activations at a0 and a1. */
export function tileFloat2(
  w: usize, width: i32, a0: usize, a1: usize, y0: usize, y1: usize, first: bool, count: i32,
): void {
  let p0 = f32x4.splat(0), q0 = p0, r0 = p0, s0 = p0, p1 = p0, q1 = p0, r1 = p0, s1 = p0;
  for (const end = a0 + ((<usize>width & ~3) << 2); a0 < end; a0 += 16, a1 += 16, w += 16) {
    const x0 = v128.load(a0), x1 = v128.load(a1);
    let c = v128.load(w);
    p0 = f32x4.add(p0, f32x4.mul(c, x0)); p1 = f32x4.add(p1, f32x4.mul(c, x1));
    c = v128.load(w, FLOAT_STRIDE);
    q0 = f32x4.add(q0, f32x4.mul(c, x0)); q1 = f32x4.add(q1, f32x4.mul(c, x1));
    c = v128.load(w, 2 * FLOAT_STRIDE);
    r0 = f32x4.add(r0, f32x4.mul(c, x0)); r1 = f32x4.add(r1, f32x4.mul(c, x1));
    c = v128.load(w, 3 * FLOAT_STRIDE);
    s0 = f32x4.add(s0, f32x4.mul(c, x0)); s1 = f32x4.add(s1, f32x4.mul(c, x1));
  }
  let sum0 = laneSumsF32(p0, q0, r0, s0), sum1 = laneSumsF32(p1, q1, r1, s1);
  for (let i = width & 3; i > 0; i--, a0 += 4, a1 += 4, w += 4) {
    const c = gatherF32(w, FLOAT_STRIDE);
    sum0 = f32x4.add(sum0, f32x4.mul(c, v128.load32_splat(a0)));
    sum1 = f32x4.add(sum1, f32x4.mul(c, v128.load32_splat(a1)));
  }
  storeOutputs(y0, f32x4.add(loadOutputs(y0, count, first), sum0), count);
  storeOutputs(y1, f32x4.add(loadOutputs(y1, count, first), sum1), count);
}

/**
 * y[0..count] (+)= four rows of weights, `stride` bytes apart, times the activations at a. `W` says how the weights are
 * stored: f32; u16, bf16 bits; i16, f16 bits.
 */
export function tileFloat1<W>(
  w0: usize, stride: usize, width: i32, a: usize, y: usize, first: bool, count: i32,
): void {
  let p = f32x4.splat(0), q = p, r = p, s = p;
  const w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride;
  let i: usize = 0;
  for (const end = <usize>(width & ~3) * sizeof<W>(); i < end; i += 4 * sizeof<W>(), a += 16) {
    const x = v128.load(a);
    p = f32x4.add(p, f32x4.mul(four<W>(w0 + i), x));
    q = f32x4.add(q, f32x4.mul(four<W>(w1 + i), x));
    r = f32x4.add(r, f32x4.mul(four<W>(w2 + i), x));
    s = f32x4.add(s, f32x4.mul(four<W>(w3 + i), x));
  }
  let sum = laneSumsF32(p, q, r, s);
  for (const end = <usize>width * sizeof<W>(); i < end; i += sizeof<W>(), a += 4) {
    const low = quad(one<W>(w0 + i), one<W>(w1 + i), one<W>(w2 + i), one<W>(w3 + i));
    sum = f32x4.add(sum, f32x4.mul(low, v128.load32_splat(a)));
  }
  storeOutputs(y, f32x4.add(loadOutputs(y, count, first), sum), count);
}

/** Four weights as f32. */
function four<W>(at: usize): v128 {
  if (sizeof<W>() == 4) return v128.load(at);
  if (isSigned<W>()) return f16x4(v128.load16x4_s(at));
  return i32x4.shl(v128.load16x4_u(at), 16);
}

/** One weight as f32. */
function one<W>(at: usize): f32 {
  if (sizeof<W>() == 4) return load<f32>(at);
  if (isSigned<W>()) return f16ToF32(load<u16>(at));
  return reinterpret<f32>(<u32>load<u16>(at) << 16);
}

function quad(a: f32, b: f32, c: f32, d: f32): v128 {
  const ab = f32x4.replace_lane(f32x4.splat(a), 1, b);
  return f32x4.replace_lane(f32x4.replace_lane(ab, 2, c), 3, d);
}
