/** IQ4_XS: nibbles that choose one of IQ4_NL's values; eight scales of 6 bits that count from -32. */
import { IQ4_VALUES } from '../../../quants/index.ts';
import { mem, ymm } from '../x64/index.ts';
import { dwords, half, held, twice } from './parts.ts';
import { lookUp, tableOf } from './tables.ts';
import { defineUnpack } from './unpack.ts';

const OFFSET = 128;
const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7];

export const IQ4_XS = defineUnpack({
  format: 'IQ4_XS',
  blockBytes: 136,
  block: 256,
  offset: OFFSET,
  most: 241,
  scaled: 32,
  mostScale: 32,
  mins: false,
  setup: (k) => ({
    nibble: held(k, 'nibble', k.u8(15)),
    shift: held(k, 'shift', dwords(k, [0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4])),
    table: tableOf(k, IQ4_VALUES, OFFSET),
  }),
  header: (k, block) => {
    const d = half(k, block, 0);
    const [scales, high] = [k.registers.ymm('scales'), k.registers.ymm('high')];
    const all = (value: number) => dwords(k, new Array<number>(8).fill(value));
    // A dword a scale: nibbles from byte 4 on, above them fields of 2 bits from byte 2 on.
    k.x.vpbroadcastd(scales, mem(block, 4));
    k.x.vpsrlvd(
      scales,
      scales,
      dwords(
        k,
        EIGHT.map((sub) => 4 * sub),
      ),
    );
    k.x.vpand(scales, scales, all(15));
    k.x.vpbroadcastd(high, mem(block));
    k.x.vpsrlvd(
      high,
      high,
      dwords(
        k,
        EIGHT.map((sub) => 16 + 2 * sub),
      ),
    );
    k.x.vpand(high, high, all(3));
    k.x.vpslld(high, high, 4);
    k.x.vpor(scales, scales, high);
    k.x.vpsubd(scales, scales, all(32));
    const order = Array.from({ length: 32 }, (_, byte) => (byte & 12) | (byte & 1));
    k.x.vpshufb(scales, scales, k.constant(Uint8Array.from(order)));
    k.free(high);
    return { d, scales };
  },
  codes: (k, block, i, target, kept) => {
    if (k.level.avx512) {
      // Each 16 bytes twice, for its low and its high nibbles.
      k.x.vmovdqu(ymm(target), mem(block, 8 + 32 * i));
      k.x.vshufi64x2(target, target, target, 0b01_01_00_00);
    } else twice(k, target, mem(block, 8 + 16 * i));
    k.x.vpsrlvd(target, target, kept.shift);
    k.x.vpand(target, target, kept.nibble);
    lookUp(k, kept.table, target);
  },
});
