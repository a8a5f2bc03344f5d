/** Q5_0: nibbles and fifth bits that count from -16. */
import { mem } from '../x64/index.ts';
import { addFifthBits, blockNibbleMasks, blockNibbles, half } from './parts.ts';
import { defineUnpack } from './unpack.ts';

export const Q5_0 = defineUnpack({
  format: 'Q5_0',
  blockBytes: 22,
  block: 32,
  offset: 16,
  most: 31,
  scaled: undefined,
  mostScale: 1,
  mins: false,
  setup: blockNibbleMasks,
  header: (k, block) => ({ d: half(k, block, 0) }),
  codes: (k, block, _, target, kept) => {
    blockNibbles(k, mem(block, 6), target, kept);
    addFifthBits(k, mem(block, 2), target);
  },
});
