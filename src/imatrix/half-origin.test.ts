/** F16 files that were bf16 checkpoints: told by the bits that bf16 cannot have. */
import { expect, test } from 'vitest';
import { normal } from '../../test/random.ts';
import { bf16ToF32, f32ToBf16, f32ToF16, memorySource } from '../core/index.ts';
import { layoutGguf, readGguf } from '../gguf/index.ts';
import { FORMATS } from '../quants/index.ts';
import { bf16Origin } from './index.ts';

/** A file with one F16 matrix of these bits. */
async function fileOf(halves: Uint16Array) {
  const tensors = [{ name: 'a', format: FORMATS.F16, shape: [halves.length / 2, 2] }];
  const { header, offsets, size } = layoutGguf({ metadata: new Map(), tensors });
  const bytes = new Uint8Array(size);
  bytes.set(header);
  bytes.set(new Uint8Array(halves.buffer), offsets[0]);
  return readGguf(memorySource(bytes, 'a.gguf'));
}

const throughBf16 = (value: number): number => bf16ToF32(f32ToBf16(value));

test('weights that went through bf16 are told, with how many f16 could not hold', async () => {
  const gaussian = normal(5);
  const weights = Float32Array.from({ length: 4096 }, (_, i) => gaussian() * (i < 96 ? 1e-6 : 0.02));
  const found = await bf16Origin(await fileOf(Uint16Array.from(weights, (w) => f32ToF16(throughBf16(w)))));
  expect(found).toMatchObject({ sampled: 4096, infinite: 0 });
  // 96 tiny weights, and those of the others that are below 2^-14 by chance (about 1 in 400).
  expect(found?.below).toBeGreaterThanOrEqual(96);
  expect(found?.below).toBeLessThan(130);
});

test('weights of an f32 or f16 checkpoint are not taken for bf16', async () => {
  const gaussian = normal(6);
  const halves = Uint16Array.from({ length: 4096 }, () => f32ToF16(gaussian() * 0.02));
  expect(await bf16Origin(await fileOf(halves))).toBeUndefined();
});

test('a file of zeros proves nothing', async () => {
  expect(await bf16Origin(await fileOf(new Uint16Array(4096)))).toBeUndefined();
});
