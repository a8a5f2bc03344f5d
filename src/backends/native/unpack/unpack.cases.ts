/** One block at a time through an unpacker, into memory; and what the format's plain decoder makes of the block. */
import { uniform } from '../../../../test/random.ts';
import { f32ToF16 } from '../../../core/index.ts';
import type { TensorFormat } from '../../../quants/index.ts';
import { defineKernel, type KernelSource } from '../kernel.ts';
import { mem, ymm } from '../x64/index.ts';
import type { Unpack } from './unpack.ts';

/** Where the kernel `taken` leaves the parts of a block: codes, 16 i16 scales, 16 i16 mins, d and dmin. */
export const TAKEN = { codes: 0, scales: 256, mins: 288, d: 320, dmin: 324, bytes: 384 } as const;

/** A kernel that writes what `unpack` makes of every block, `TAKEN.bytes` a block. */
export function takenKernel(unpack: Unpack): KernelSource<'blocks' | 'count' | 'out'> {
  return defineKernel({
    name: `taken_${unpack.format.toLowerCase()}`,
    args: ['blocks', 'count', 'out'],
    emit: (k) => {
      const { blocks, count, out } = k.ints('blocks', 'count', 'out');
      const kept = unpack.setup(k);
      k.countdown(count, () => {
        k.scope(() => {
          const { d, dmin, scales, mins } = unpack.header(k, blocks, kept);
          k.x.vmovss_store(mem(out, TAKEN.d), d);
          if (dmin) k.x.vmovss_store(mem(out, TAKEN.dmin), dmin);
          if (scales) k.x.vmovdqu_store(mem(out, TAKEN.scales), scales);
          if (mins) k.x.vmovdqu_store(mem(out, TAKEN.mins), mins);
          k.free(...[d, dmin, scales, mins].filter((one) => one !== undefined));
          const shared = unpack.share?.(k, blocks, kept) ?? {};
          const full = k.vec('codes');
          const codes = unpack.block === 32 ? ymm(full) : full;
          for (let i = 0; i * codes.bytes < unpack.block; i++) {
            unpack.codes(k, blocks, i, codes, kept, shared);
            k.x.vmovups_store(mem(out, TAKEN.codes + i * codes.bytes), codes);
          }
        });
        k.x.add(blocks, unpack.blockBytes);
        k.x.add(out, TAKEN.bytes);
      });
    },
  });
}

/** Random bytes, with halves between 2^-8 and 2^-5 of either sign where the format's layout has them. */
export function randomBlocks(format: TensorFormat, count: number, seed = 1): Uint8Array {
  const random = uniform(seed);
  const bytes = Uint8Array.from({ length: count * format.blockBytes }, () => Math.floor(256 * random()));
  const view = new DataView(bytes.buffer);
  for (let b = 0; b < count; b++) {
    for (const at of HALVES[format.name] ?? []) {
      const value = 2 ** -(5 + 3 * random()) * (random() < 0.5 ? -1 : 1);
      view.setUint16(b * format.blockBytes + at, f32ToF16(value), true);
    }
    RANGES[format.name]?.(view, b * format.blockBytes, random);
  }
  return bytes;
}

/** Offsets of half floats in blocks. */
const HALVES: Readonly<Record<string, readonly number[]>> = {
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  Q2_K: [80, 82],
  Q3_K: [108],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
  IQ4_NL: [0],
  IQ4_XS: [0],
  TQ1_0: [52],
  TQ2_0: [64],
  IQ1_S: [0],
  IQ2_XXS: [0],
  IQ2_XS: [0],
  IQ2_S: [0],
  IQ3_XXS: [0],
  IQ3_S: [0],
};

/** Scales of other kinds. */
const RANGES: Readonly<Record<string, (view: DataView, at: number, random: () => number) => void>> = {
  // A power of two near 1.
  MXFP4: (view, at, random) => view.setUint8(at, 120 + Math.floor(8 * random())),
  // The nibbles of the half 2^-6 (1.5) above the scales of four words.
  IQ1_M: (view, at) =>
    [0x0, 0x0, 0x6, 0x2].forEach((nibble, word) => {
      const place = at + 48 + 2 * word;
      view.setUint16(place, (view.getUint16(place, true) & 0x0fff) | (nibble << 12), true);
    }),
};
