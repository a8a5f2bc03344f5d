/**
 * IQ1_M: indices of eleven bits of points of eight weights -1, 0 or 1, each point shifted by an eighth up or down; a scale
 * for every 16 weights. Codes are weights in eighths, shift included, + 9; d stands in the upper nibbles of the scales.
 */
import { iq1Grid } from '../../../quants/index.ts';
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, masked, mem, type Vec, xmm } from '../x64/index.ts';
import { deposit, eight, fourOfEight, gridTable, joined, odd, packedPlaces } from './grid-parts.ts';
import { IQ1_M_DOT } from './iq1-dot.ts';
import { defineUnpack } from './unpack.ts';

const AT = { points: 0, high: 32, scales: 48 } as const;

/** Takes 2 from the codes of every point whose nibble in `high` has its top bit set: from 1/8 up to 1/8 down. */
function shiftDown(k: KernelBuilder, target: Vec, high: Gpr): void {
  if (k.level.avx512) {
    const down = k.registers.mask('down');
    k.x.pext(high, high, eight(k, 0x88));
    k.x.kmovd_from(down, high);
    k.x.vpsubq(masked(target, down), target, k.u8(2)); // no byte borrows: all are at least 2
    k.free(down);
    return;
  }
  const own = k.constant(
    new Uint8Array(Int32Array.from({ length: 8 }, (_, i) => 8 << (4 * (i >> 1))).buffer),
  );
  const down = k.registers.ymm('down');
  k.x.vmovd(xmm(down), high);
  k.x.vpbroadcastd(down, xmm(down));
  k.x.vpand(down, down, own);
  k.x.vpcmpeqd(down, down, own);
  k.x.vpand(down, down, k.u8(2));
  k.x.vpsubb(target, target, down);
  k.free(down);
}

export const IQ1_M = defineUnpack({
  format: 'IQ1_M',
  blockBytes: 56,
  block: 256,
  offset: 9,
  most: 18,
  scaled: 16,
  mostScale: 15,
  mins: false,
  setup: (k) => ({ grid: gridTable(k, iq1Grid(), (value) => 8 * value + 10) }),
  header: (k, block) => {
    const d = k.registers.xmm('d');
    const scales = k.registers.ymm('scales');
    k.scope(() => {
      const words = k.gpr('words');
      const part = k.gpr('part');
      k.x.mov(words, mem(block, AT.scales));
      k.x.pext(part, words, eight(k, 0, 0xf0));
      k.x.vmovd(d, part);
      k.x.vcvtph2ps(d, d);
      k.x.vmulss(d, d, k.f32(0.125));
      k.x.pext(words, words, eight(k, 0xff, 0x0f));
      // Three bits a byte, doubled.
      k.x.pdep(part, words, eight(k, 14));
      k.x.shr(words, 24);
      k.x.pdep(words, words, eight(k, 14));
      k.x.vmovq(xmm(scales), part);
      k.x.vpinsrq(xmm(scales), xmm(scales), words, 1);
    });
    odd(k, xmm(scales), 1);
    k.x.vpmovzxbw(scales, xmm(scales));
    return { d, scales };
  },
  codes: (k, block, i, target, { grid }) =>
    k.scope(() => {
      const index = k.gpr('index');
      const packed = k.gpr('packed');
      joined(k, target, 32, (part, n) => {
        const four = (i * target.bytes) / 32 + n;
        k.x.load16(index, mem(block, AT.high + 2 * four));
        k.x.load32(packed, mem(block, AT.points + 4 * four));
        k.x.and(index, 0x7777);
        deposit(k, packed, eight(k, 255, 0), index, eight(k, 0, 15));
        fourOfEight(k, part, packedPlaces(k, grid, packed, index, 8));
      });
      if (k.level.avx512) k.x.load32(index, mem(block, AT.high + 4 * i));
      else k.x.load16(index, mem(block, AT.high + 2 * i));
      shiftDown(k, target, index);
    }),
  dot: IQ1_M_DOT,
});
