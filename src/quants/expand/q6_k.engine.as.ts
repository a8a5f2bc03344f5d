/** Q6_K to its integer plane: c = scale * (q - 32), |c| <= 4096. */
import { f16ToF32 } from '../../kernels/half.as';

/** Writes 16 weights: 6-bit codes times the 8-bit scale at `scale`. */
function storeSixteen(codes: usize, q: v128, scale: usize): void {
  const centered = i8x16.sub(q, i8x16.splat(32));
  const factor = i16x8.splat(<i16>load<i8>(scale));
  v128.store(codes, i16x8.mul(i16x8.extend_low_i8x16_s(centered), factor));
  v128.store(codes, i16x8.mul(i16x8.extend_high_i8x16_s(centered), factor), 16);
}

export function q6_k_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const nibble = i8x16.splat(15);
  const upper = i8x16.splat(0x30);
  for (; blocks > 0; blocks--, src += 210, scales += 8) {
    store<f32>(scales, f16ToF32(load<u16>(src, 208)));
    store<f32>(scales, 0, 4);
    // 16 lanes of a half (128 weights) at a time: they are in 4 columns of 32 weights.
    for (let part: usize = 0; part < 4; part++) {
      const half = part >> 1;
      const lane = (part & 1) << 4;
      const low = src + (half << 6) + lane;
      const factors = src + 192 + (half << 3) + (part & 1);
      const out = codes + (half << 8) + (lane << 1);
      const q0 = v128.load(low);
      const q1 = v128.load(low, 32);
      const h = v128.load(src + 128 + (half << 5) + lane);
      storeSixteen(out, v128.or(v128.and(q0, nibble), v128.and(i16x8.shl(h, 4), upper)), factors);
      storeSixteen(out + 64, v128.or(v128.and(q1, nibble), v128.and(i16x8.shl(h, 2), upper)), factors + 2);
      const q2 = v128.and(i16x8.shr_u(q0, 4), nibble);
      const q3 = v128.and(i16x8.shr_u(q1, 4), nibble);
      storeSixteen(out + 128, v128.or(q2, v128.and(h, upper)), factors + 4);
      storeSixteen(out + 192, v128.or(q3, v128.and(i16x8.shr_u(h, 2), upper)), factors + 6);
    }
    codes += 512;
  }
}
