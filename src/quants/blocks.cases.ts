/** Block bytes on which decoders are compared: random ones, and edge cases in every position. */
import { createHash } from 'node:crypto';
import { uniform } from '../../test/random.ts';
import type { TensorFormat } from './index.ts';

export const BLOCKS = 500;

/** Infinities, NaN, subnormals, signed zeros, the smallest normal, the largest finite half. */
const SPECIAL_HALVES = [0x7c00, 0xfc00, 0x7e01, 0x0001, 0x8001, 0x03ff, 0x8000, 0x0000, 0x0400, 0x7bff];

/** Random blocks; all ones; all zero; and blocks with one special half at each even offset. */
export function caseBlocks(format: TensorFormat): Uint8Array {
  const random = uniform(format.id + 1);
  const bytes = Uint8Array.from({ length: BLOCKS * format.blockBytes }, () => Math.floor(256 * random()));
  const block = (b: number) => bytes.subarray(b * format.blockBytes, (b + 1) * format.blockBytes);
  block(0).fill(255);
  block(1).fill(0);
  block(2).fill(0x7c); // 0x7c7c: a NaN half
  block(3).fill(0x80);
  SPECIAL_HALVES.forEach((half, h) => {
    for (let at = 0; at + 1 < format.blockBytes; at += 2) {
      const one = block(10 + h * 40 + ((at >> 1) % 40));
      one[at] = half & 255;
      one[at + 1] = half >> 8;
    }
  });
  return bytes;
}

/** SHA-256 of f32 values, every NaN written the same way. */
export function digest(values: Float32Array): string {
  const bits = new Uint32Array(values.length);
  new Float32Array(bits.buffer).set(values);
  for (let i = 0; i < bits.length; i++) if (Number.isNaN(values[i])) bits[i] = 0x7fc00000;
  return createHash('sha256').update(bits).digest('hex');
}
