/** Q4_0: nibbles that count from -8, d before them. */
import { mem } from '../x64/index.ts';
import { blockNibbleMasks, blockNibbles, half } from './parts.ts';
import { defineUnpack } from './unpack.ts';

export const Q4_0 = defineUnpack({
  format: 'Q4_0',
  blockBytes: 18,
  block: 32,
  offset: 8,
  most: 15,
  scaled: undefined,
  mostScale: 1,
  mins: false,
  setup: blockNibbleMasks,
  header: (k, block) => ({ d: half(k, block, 0) }),
  codes: (k, block, _, target, kept) => blockNibbles(k, mem(block, 2), target, kept),
});
