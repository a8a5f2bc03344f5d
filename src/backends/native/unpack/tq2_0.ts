/** TQ2_0: fields of 2 bits that count from -1; one scale. */
import { mem } from '../x64/index.ts';
import { half, pairFields, pairShifts } from './parts.ts';
import { defineUnpack } from './unpack.ts';

export const TQ2_0 = defineUnpack({
  format: 'TQ2_0',
  blockBytes: 66,
  block: 256,
  offset: 1,
  most: 3,
  scaled: undefined,
  mostScale: 1,
  mins: false,
  setup: pairShifts,
  header: (k, block) => ({ d: half(k, block, 64) }),
  codes: (k, block, i, target, kept) => pairFields(k, mem(block), i, target, kept),
});
