/** Q8_K: 256 activations `d * q`; only for activations in integer matrix products, never in files. */
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';

/** The largest finite f32. */
const LARGEST = 3.4028234663852886e38;

export const Q8_K: TensorFormat = {
  name: 'Q8_K',
  id: 15,
  blockSize: 256,
  blockBytes: 292,
  kind: 'quantized',
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
      const value = Math.min(Math.max(src[i], -LARGEST), LARGEST);
      if (Math.abs(value) > Math.abs(extreme)) extreme = value;
    }
    const d = Math.fround(extreme / -127);
    view.setFloat32(at, d, true);
    for (let group = 0; group < 16; group++) {
      let sum = 0;
      for (let i = 16 * group; i < 16 * group + 16; i++) {
        const code = d === 0 ? 0 : Math.min(Math.max(Math.round(src[from + i] / d), -127), 127) || 0;
        view.setInt8(at + 4 + i, code);
        sum += code;
      }
      view.setInt16(at + 260 + 2 * group, sum, true);
    }
  }),
};
