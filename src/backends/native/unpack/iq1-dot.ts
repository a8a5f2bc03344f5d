/** Fast products of IQ1_S and IQ1_M. Codes are weights in eighths, + 10; sums of activations take that off, and the shift. */
import { iq1Grid } from '../../../quants/index.ts';
import type { KernelBuilder } from '../kernel.ts';
import { mem, type Register, type Vec, xmm, zeroing } from '../x64/index.ts';
import { AND_XOR, addChunk, inHalves, keepDot, loadedChunks, oddOf, otherTotals } from './dot-parts.ts';
import { deposit, eight, gridTable, keptPlaces, places, scaledHalf } from './grid-parts.ts';
import { defineDot } from './unpack.ts';

/** What is to be taken off a code: 9 where its point is shifted up, 11 where down. */
const UP = 9;
const DOWN_MORE = 2;

const grid = (k: KernelBuilder) => gridTable(k, iq1Grid(), (value) => 8 * value + UP + 1);

/** The words at `block` + `disp`, quad q's in its four words. */
function quadWords(k: KernelBuilder, at: ReturnType<typeof mem>, order: Vec): Register<'zmm'> {
  const words = k.registers.zmm('words');
  k.x.vpmovzxwq(words, at);
  k.x.vpshufb(words, words, order);
  return words;
}

const keepOrder = (k: KernelBuilder) => keptPlaces(k, 'order', (place) => (place & 1) + (place & 8));

/** Words of -9, or -11 where bit 15 is set. */
function takenOff(k: KernelBuilder, words: Vec, more: Vec): void {
  k.x.vpsrlw(words, words, 14);
  k.x.vpternlogd(words, more, k.i16(-UP), AND_XOR);
}

function keepMore(k: KernelBuilder): Vec {
  const more = k.registers.zmm('more');
  k.x.vmovdqu8(more, k.i16(DOWN_MORE));
  return more;
}

export const IQ1_S_DOT = defineDot({
  sums: true,
  setup: (k) => ({ grid: grid(k), ...keepDot(k, 14), order: keepOrder(k), more: keepMore(k) }),
  d: (k, block) => scaledHalf(k, mem(block), 0.125),
  emit: (k, block, x, totals, kept) =>
    k.scope(() => {
      const chunks = loadedChunks(k, kept.grid, (quad, packed, high) => {
        k.x.load16(high, mem(block, 34 + 2 * quad));
        k.x.load32(packed, mem(block, 2 + 4 * quad));
        deposit(k, packed, eight(k, 255, 0), high, eight(k, 0, 7));
      });
      const words = quadWords(k, mem(block, 34), kept.order);
      const scales = k.registers.zmm('scales');
      k.x.vpsrld(scales, words, 11);
      oddOf(k, scales, kept);
      takenOff(k, words, kept.more);
      totals.forEach((total, plane) => {
        k.x.vpmaddwd(total, words, x.sums(plane));
      });
      chunks.forEach((codes, chunk) => {
        addChunk(k, x, chunk, codes, totals);
      });
      for (const total of totals) k.x.vpmulld(total, total, scales);
    }),
});

export const IQ1_M_DOT = defineDot({
  sums: true,
  setup: (k) => {
    const first = k.registers.mask('first halves');
    const second = k.registers.mask('second halves');
    const one = k.gpr('one');
    for (const [mask, bits] of [
      [first, 0x5555],
      [second, 0xaaaa],
    ] as const) {
      k.x.mov(one, bits);
      k.x.kmovq_from(mask, one);
    }
    k.free(one);
    return { grid: grid(k), ...keepDot(k, 14), order: keepOrder(k), more: keepMore(k), first, second };
  },
  d: (k, block) => {
    const d = k.registers.xmm('d');
    const words = k.gpr('words');
    k.x.mov(words, mem(block, 48));
    k.x.pext(words, words, eight(k, 0, 0xf0));
    k.x.vmovd(d, words);
    k.free(words);
    k.x.vcvtph2ps(d, d);
    k.x.vmulss(d, d, k.f32(0.125));
    return d;
  },
  emit: (k, block, x, totals, kept) =>
    k.scope(() => {
      const chunks = loadedChunks(k, kept.grid, (quad, packed, high) => {
        k.x.load16(high, mem(block, 32 + 2 * quad));
        k.x.load32(packed, mem(block, 4 * quad));
        k.x.and(high, 0x7777);
        deposit(k, packed, eight(k, 255, 0), high, eight(k, 0, 15));
      });
      const words = quadWords(k, mem(block, 32), kept.order);
      const top = Uint8Array.from({ length: 64 }, (_, place) =>
        place & 1 ? 0 : 12 - 4 * ((place >> 1) & 3),
      );
      k.x.vpsllvw(words, words, k.constant(top));
      takenOff(k, words, kept.more);
      const others = otherTotals(k, totals);
      totals.forEach((total, plane) => {
        // Dwords are of two points: the first or the second half of 32 weights.
        k.x.vpmaddwd(zeroing(total, kept.first), words, x.sums(plane));
        k.x.vpmaddwd(zeroing(others[plane], kept.second), words, x.sums(plane));
      });
      chunks.forEach((codes, chunk) => {
        addChunk(k, x, chunk, codes, chunk < 2 ? totals : others);
      });
      const scales = threeBitScales(k, block);
      for (const half of [scales.first, scales.second]) oddOf(k, half, kept);
      inHalves(k, totals, others, scales);
    }),
});

/** Dwords 2 s of the scales, three bits each in the lower twelve bits of four words. */
function threeBitScales(k: KernelBuilder, block: Parameters<typeof mem>[0]) {
  const first = k.registers.zmm('first scales');
  const second = k.registers.zmm('second scales');
  k.scope(() => {
    const words = k.gpr('words');
    const part = k.gpr('part');
    k.x.mov(words, mem(block, 48));
    k.x.pext(words, words, eight(k, 0xff, 0x0f));
    k.x.pdep(part, words, eight(k, 14));
    k.x.shr(words, 24);
    k.x.pdep(words, words, eight(k, 14));
    k.x.vmovq(xmm(first), part);
    k.x.vpinsrq(xmm(first), xmm(first), words, 1);
    k.x.vshufi32x4(first, first, first, 0);
  });
  // Byte 2 q, or the next one, to the dwords of quad q.
  const bytes = (half: number) => places(k, (place) => (place & 3 ? 128 : 2 * (place >> 3) + half));
  k.x.vpshufb(second, first, bytes(1));
  k.x.vpshufb(first, first, bytes(0));
  return { first, second };
}
