/** The d of IQ1_M, which lies in four nibbles. */
import { f16ToF32 } from '../../kernels/half.as';

/** The f16 whose nibbles are the highest of four words. */
export function nibbleScale(words: u64): f32 {
  const bits = ((words >> 12) & 0xf) | ((words >> 24) & 0xf0) | ((words >> 36) & 0xf00) | ((words >> 48) & 0xf000);
  return f16ToF32(<u32>bits);
}
