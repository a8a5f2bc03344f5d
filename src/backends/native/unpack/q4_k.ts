/** Q4_K: nibbles, eight 6-bit scales and mins. */
import { mem } from '../x64/index.ts';
import { nibbleMasks, pairedNibbles, sixBitHeader } from './parts.ts';
import { defineUnpack } from './unpack.ts';

export const Q4_K = defineUnpack({
  format: 'Q4_K',
  blockBytes: 144,
  block: 256,
  offset: 0,
  most: 15,
  scaled: 32,
  mostScale: 63,
  mins: true,
  setup: nibbleMasks,
  header: sixBitHeader,
  codes: (k, block, i, target, kept) => pairedNibbles(k, mem(block, 16), i, target, kept),
});
