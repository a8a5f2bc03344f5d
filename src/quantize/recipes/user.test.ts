/** Recipe files and patterns: what is accepted, and that hostile ones end in one clear error, quickly. */
import { expect, test } from 'vitest';
import { uniform } from '../../../test/random.ts';
import { BitmillError, memorySource } from '../../core/index.ts';
import { namePattern, parseUserRecipe, readUserRecipe } from './index.ts';

const GOOD = {
  name: 'phi3-small',
  base: 'iq2_m',
  rules: [{ match: 'attn_qkv\\.weight$', type: 'iq3_s' }],
};

function refusal(text: string): string {
  try {
    parseUserRecipe(text, 'r.json');
  } catch (error) {
    if (error instanceof BitmillError && error.exitCode === 3) return error.message;
    throw error;
  }
  return 'accepted';
}

test('a recipe names a base, rules and their formats in any case', () => {
  const recipe = parseUserRecipe(JSON.stringify(GOOD), 'r.json');
  expect(recipe).toEqual({
    name: 'phi3-small',
    base: 'IQ2_M',
    rules: [{ match: /attn_qkv\.weight$/u, type: 'IQ3_S' }],
  });
});

test('a recipe that is not one is refused with the place of the fault', () => {
  const bad = (change: object) => refusal(JSON.stringify({ ...GOOD, ...change }));
  expect(refusal('{')).toMatch(/^r\.json: is not JSON/);
  expect(refusal('[]')).toMatch(/^r\.json: recipe: /);
  expect(refusal('null')).toMatch(/^r\.json: recipe: /);
  expect(bad({ name: '../x' })).toBe('r.json: name: letters, digits, . _ - only, at most 40');
  expect(bad({ name: 'Q4_K_M' })).toContain('has the name of a built-in file type');
  expect(bad({ base: 'Q9' })).toBe('r.json: base: unknown file type "Q9"');
  expect(bad({ base: undefined })).toContain('needs a base or a default');
  expect(bad({ default: 'Q4_K' })).toContain('has both a base and a default');
  expect(bad({ rules: [{ match: 'a', type: 'I32' }] })).toContain('unknown format "I32"');
  expect(bad({ rules: [{ match: '(', type: 'Q4_K' }] })).toContain('is not a regular expression');
  expect(bad({ rules: [{ match: '(a+)+$', type: 'Q4_K' }] })).toContain('repeated group');
  expect(bad({ extra: 1 })).toContain('Unrecognized key');
});

test('patterns that need exponential time are refused, plain ones are kept', () => {
  for (const slow of ['(a+)+', '((a*))*', '(a|a)*', '(a?){30}', '(x)\\1', 'a*a*a*a*a*', '', '['])
    expect(() => namePattern(slow), slow).toThrow(/pattern/);
  for (const fine of [
    'attn_qkv\\.\\S+',
    '^blk\\.(1|2)\\.ffn_(up|down)',
    '[a(+]+x',
    '\\(a\\)+',
    'blk\\.\\d+\\.',
  ])
    expect(namePattern(fine).source).toBe(fine);
});

test('3,000 mutations of a recipe file are accepted or refused with exit code 3', async () => {
  const original = new TextEncoder().encode(JSON.stringify(GOOD));
  const random = uniform(7);
  const pick = (n: number) => Math.floor(n * random());
  for (let round = 0; round < 3000; round++) {
    const bytes = original.slice(0, random() < 0.1 ? pick(original.length) : original.length);
    for (let n = 1 + pick(4); n > 0 && bytes.length > 0; n--) bytes[pick(bytes.length)] = pick(256);
    await readUserRecipe(memorySource(bytes, 'r.json')).catch((error: unknown) => {
      expect(error).toBeInstanceOf(BitmillError);
      expect((error as BitmillError).exitCode).toBe(3);
    });
  }
});
