/** IQ4_NL: nibbles that choose one of 16 values, d before them. */
import { IQ4_VALUES } from '../../../quants/index.ts';
import { mem } from '../x64/index.ts';
import { blockNibbleMasks, blockNibbles, half } from './parts.ts';
import { lookUp, tableOf } from './tables.ts';
import { defineUnpack } from './unpack.ts';

const OFFSET = 128;

export const IQ4_NL = defineUnpack({
  format: 'IQ4_NL',
  blockBytes: 18,
  block: 32,
  offset: OFFSET,
  most: 241,
  scaled: undefined,
  mostScale: 1,
  mins: false,
  setup: (k) => ({ ...blockNibbleMasks(k), table: tableOf(k, IQ4_VALUES, OFFSET) }),
  header: (k, block) => ({ d: half(k, block, 0) }),
  codes: (k, block, _, target, kept) => {
    blockNibbles(k, mem(block, 2), target, kept);
    lookUp(k, kept.table, target);
  },
});
