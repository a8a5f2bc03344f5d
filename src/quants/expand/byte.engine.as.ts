/** Q8_0 and Q8_K to their integer planes: the codes are stored as bytes. */
import { storePair, storeScale } from './pair.as';

/** Widens 32 codes of a byte each. */
function widen(src: usize, codes: usize): void {
  v128.store(codes, v128.load8x8_s(src));
  v128.store(codes, v128.load8x8_s(src, 8), 16);
  v128.store(codes, v128.load8x8_s(src, 16), 32);
  v128.store(codes, v128.load8x8_s(src, 24), 48);
}

export function q8_0_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 34, codes += 64, scales += 8) {
    storeScale(scales, src);
    widen(src + 2, codes);
  }
}

export function q8_k_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 292, scales += 8) {
    storePair(scales, load<f32>(src), 0);
    for (let at = src + 4; at < src + 260; at += 32, codes += 64) widen(at, codes);
  }
}
