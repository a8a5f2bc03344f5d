/** Q8_0: signed bytes, d before them. */
import { mem, ymm } from '../x64/index.ts';
import { half } from './parts.ts';
import { defineUnpack } from './unpack.ts';

export const Q8_0 = defineUnpack({
  format: 'Q8_0',
  blockBytes: 34,
  block: 32,
  offset: 128,
  most: 255,
  scaled: undefined,
  mostScale: 1,
  mins: false,
  setup: (k) => {
    const sign = k.vec('sign');
    k.x.vmovdqu(sign, k.u8(128));
    return { sign };
  },
  header: (k, block) => ({ d: half(k, block, 0) }),
  codes: (k, block, _, target, { sign }) => k.x.vpxor(target, ymm(sign), mem(block, 2)),
});
