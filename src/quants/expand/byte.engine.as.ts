/** Q8_0 to its integer plane: the codes are stored as bytes. */
import { f16ToF32 } from '../../kernels/half.as';

/** Widens 32 codes of a byte each. */
function widen(src: usize, codes: usize): void {
  v128.store(codes, v128.load8x8_s(src));
  v128.store(codes, v128.load8x8_s(src, 8), 16);
  v128.store(codes, v128.load8x8_s(src, 16), 32);
  v128.store(codes, v128.load8x8_s(src, 24), 48);
}

export function q8_0_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 34, codes += 64, scales += 8) {
    store<f32>(scales, f16ToF32(load<u16>(src)));
    store<f32>(scales, 0, 4);
    widen(src + 2, codes);
  }
}
