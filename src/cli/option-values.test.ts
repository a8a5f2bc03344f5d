/** Values of options: what is accepted and what is refused. */
import { expect, test } from 'vitest';
import { parseBytes, parseCount, parseFormat, parseOverrides, parseTensorType } from './option-values.ts';

test('sizes are decimal with K, M, G and binary with KiB, MiB, GiB', () => {
  expect(['7', '2G', '1.5k', '500MB', '1GiB', '2mib'].map((text) => parseBytes('--split', text))).toEqual([
    7,
    2e9,
    1500,
    5e8,
    2 ** 30,
    2 ** 21,
  ]);
  for (const bad of ['', '0', '-1', '1X', '1e9', '9999999T', 'G'])
    expect(() => parseBytes('--split', bad), bad).toThrow('--split');
});

test('counts go from 1 to 1024', () => {
  expect(parseCount('--threads', '16')).toBe(16);
  for (const bad of ['0', '1025', '1.5', 'x', ''])
    expect(() => parseCount('--threads', bad)).toThrow('--threads');
});

test('a tensor type is a pattern, case kept, and a format in any case', () => {
  expect(parseTensorType('attn_qkv\\.\\S+=q8_0')).toEqual({ pattern: /attn_qkv\.\S+/u, format: 'Q8_0' });
  expect(parseTensorType('a=b=Q6_K')).toEqual({ pattern: /a=b/u, format: 'Q6_K' });
  for (const bad of ['Q6_K', '=Q6_K', 'x=I32', 'x=', '(=Q6_K'])
    expect(() => parseTensorType(bad), bad).toThrow();
  expect(() => parseFormat('--output-type', 'Q7')).toThrow('--output-type: unknown format "Q7"');
});

test('metadata values have the type that they are given, within its range', () => {
  const texts = [
    'a=int:5',
    'b=int:-5',
    'c=str:x=y:z',
    'd=bool:true',
    'e=f64:1.5',
    'f=u64:18446744073709551615',
  ];
  expect([...parseOverrides(texts)]).toEqual([
    ['a', { type: 'u32', value: 5 }],
    ['b', { type: 'i32', value: -5 }],
    ['c', { type: 'string', value: 'x=y:z' }],
    ['d', { type: 'bool', value: true }],
    ['e', { type: 'f64', value: 1.5 }],
    ['f', { type: 'u64', value: 18446744073709551615n }],
  ]);
  for (const bad of [
    'a',
    'a=5',
    '=int:5',
    'a=int:',
    'a=u8:256',
    'a=bool:1',
    'a=u64:-1',
    'a=nope:1',
    'a=float:x',
  ])
    expect(() => parseOverrides([bad]), bad).toThrow('--override-kv');
});
