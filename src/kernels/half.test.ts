import { expect, test } from 'vitest';
import { f16ToF32, f32ToF16 } from '../core/index.ts';
import { instantiateKernels } from './index.ts';

test('the f16 kernels agree with core on all 65,536 halves and on values between them', () => {
  const k = instantiateKernels();
  const n = 65536;
  const halves = k.alloc(2 * n);
  const floats = k.alloc(4 * n);
  new Uint16Array(k.memory.buffer, halves, n).set(Uint16Array.from({ length: n }, (_, h) => h));
  k.find('half_f16_to_f32')?.(halves, floats, n);
  expect(k.f32(floats, n)).toEqual(Float32Array.from({ length: n }, (_, h) => f16ToF32(h)));

  const between = Float32Array.from({ length: n }, (_, h) =>
    Number.isFinite(f16ToF32(h)) ? f16ToF32(h) * 1.00049 : 0,
  );
  k.f32(floats, n).set(between);
  k.find('half_f32_to_f16')?.(floats, halves, n);
  expect(new Uint16Array(k.memory.buffer, halves, n)).toEqual(
    Uint16Array.from(between, (value) => f32ToF16(value)),
  );
});

test('the arena aligns to 64 bytes, grows memory, and gives back what came after a mark', () => {
  const k = instantiateKernels();
  const first = k.alloc(10);
  expect(first % 64).toBe(0);
  const mark = k.mark();
  const big = k.alloc(20_000_000);
  expect(k.memory.buffer.byteLength).toBeGreaterThanOrEqual(big + 20_000_000);
  k.release(mark);
  expect(k.alloc(1)).toBe(big);
});
