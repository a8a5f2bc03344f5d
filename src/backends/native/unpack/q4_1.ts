/** Q4_1: nibbles, before them d and what is added to each weight. */
import { mem } from '../x64/index.ts';
import { blockNibbleMasks, blockNibbles, scaleAndAddend } from './parts.ts';
import { defineUnpack } from './unpack.ts';

export const Q4_1 = defineUnpack({
  format: 'Q4_1',
  blockBytes: 20,
  block: 32,
  offset: 0,
  most: 15,
  scaled: undefined,
  mostScale: 1,
  mins: true,
  setup: blockNibbleMasks,
  header: scaleAndAddend,
  codes: (k, block, _, target, kept) => blockNibbles(k, mem(block, 4), target, kept),
});
