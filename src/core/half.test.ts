import { expect, test } from 'vitest';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './index.ts';

test('every finite f16 survives the way to f32 and back', () => {
  for (let h = 0; h < 65536; h++) {
    const value = f16ToF32(h);
    if (Number.isNaN(value)) expect(f32ToF16(value) & 0x7fff).toBe(0x7e00);
    else expect(f32ToF16(value)).toBe(h);
  }
});

test('f16 rounds to nearest, ties to even, and overflows from 65520 on', () => {
  expect(f32ToF16(1)).toBe(0x3c00);
  expect(f32ToF16(1 + 2 ** -11)).toBe(0x3c00); // halfway: the even one below
  expect(f32ToF16(1 + 3 * 2 ** -11)).toBe(0x3c02); // halfway: the even one above
  expect(f32ToF16(65519)).toBe(0x7bff);
  expect(f32ToF16(65520)).toBe(0x7c00);
  expect(f32ToF16(-1e30)).toBe(0xfc00);
  expect(f32ToF16(2 ** -24)).toBe(1);
  expect(f32ToF16(2 ** -25)).toBe(0); // half of the smallest: to even
  expect(f32ToF16(1.5 * 2 ** -24)).toBe(2);
  expect(f32ToF16(2 ** -14 - 2 ** -26)).toBe(0x0400); // rounds up into the normal range
  expect(Object.is(f16ToF32(0x8000), -0)).toBe(true);
});

test('bf16 is the upper half of an f32, rounded to even', () => {
  expect(bf16ToF32(0x3f80)).toBe(1);
  expect(f32ToBf16(1)).toBe(0x3f80);
  expect(f32ToBf16(1 + 2 ** -8)).toBe(0x3f80);
  expect(f32ToBf16(1 + 3 * 2 ** -8)).toBe(0x3f82);
  expect(f32ToBf16(Number.NaN)).toBe(0x7fc0);
  expect(f32ToBf16(3.4e38)).toBe(0x7f80);
  for (let b = 0; b < 0x7f80; b++) expect(f32ToBf16(bf16ToF32(b))).toBe(b);
});
