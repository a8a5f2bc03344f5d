/** Q8_K: 256 activations `d * q`; only for activations in integer matrix products, never in files. */
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';

/** The largest finite f32. */
const LARGEST = 3.4028234663852886e38;

/** The f32 nearest to a number, finite. */
function finite(value: number): number {
  return Math.fround(Math.min(Math.max(value, -LARGEST), LARGEST));
}

/** Nearest integer, ties to even; 0 for NaN. */
function roundToEven(value: number): number {
  const down = Math.floor(value);
  const rest = Math.fround(value) - down;
  if (rest !== 0.5) return Math.round(value) || 0;
  return down % 2 === 0 ? down : down + 1;
}

export const Q8_K: TensorFormat = {
  name: 'Q8_K',
  id: 15,
  blockSize: 256,
  blockBytes: 292,
  kind: 'quantized',
  plane: { group: 256, mins: false },
  layout: 'd f32, qs int8[256], bsums int16[16] (sums of 16 codes)',
  decode: perBlock(292, 256, (view, at, dst, out) => {
    const d = view.getFloat32(at, true);
    for (let i = 0; i < 256; i++) dst[out + i] = d * view.getInt8(at + 4 + i);
  }),
  /** As ggml does it: the weight of largest magnitude becomes -127; importance has no say in activations. */
  encode: encodeBlocks(292, 256, (src, _importance, from, dst, at) => {
    const view = viewOf(dst);
    let extreme = 0;
    for (let i = from; i < from + 256; i++) {
      const value = finite(src[i]);
      if (Math.abs(value) > Math.abs(extreme)) extreme = value;
    }
    const inverse = extreme === 0 ? 0 : finite(-127 / extreme);
    view.setFloat32(at, inverse === 0 ? 0 : finite(1 / inverse), true);
    for (let group = 0; group < 16; group++) {
      let sum = 0;
      for (let i = 16 * group; i < 16 * group + 16; i++) {
        const code = Math.min(Math.max(roundToEven(Math.fround(inverse * src[from + i])), -128), 127);
        view.setInt8(at + 4 + i, code);
        sum += code;
      }
      view.setInt16(at + 260 + 2 * group, sum, true);
    }
  }),
};
