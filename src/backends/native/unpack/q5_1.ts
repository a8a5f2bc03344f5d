/** Q5_1: nibbles and fifth bits, before them d and what is added to each weight. */
import { mem } from '../x64/index.ts';
import { addFifthBits, blockNibbleMasks, blockNibbles, scaleAndAddend } from './parts.ts';
import { defineUnpack } from './unpack.ts';

export const Q5_1 = defineUnpack({
  format: 'Q5_1',
  blockBytes: 24,
  block: 32,
  offset: 0,
  most: 31,
  scaled: undefined,
  mostScale: 1,
  mins: true,
  setup: blockNibbleMasks,
  header: scaleAndAddend,
  codes: (k, block, _, target, kept) => {
    blockNibbles(k, mem(block, 8), target, kept);
    addFifthBits(k, mem(block, 4), target);
  },
});
