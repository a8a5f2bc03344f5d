/** Every instruction of the assembler against the bytes of GNU as (`scripts/make-encodings.mjs`). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { hexOf, type Sample } from './encodings.cases.ts';
import { generalSamples } from './encodings-general.cases.ts';
import { vectorSamples } from './encodings-vector.cases.ts';
import { GENERAL } from './general.ts';
import { VECTOR_TABLE } from './vector-table.ts';

const fixture = readFileSync(new URL('../../../../test/fixtures/encodings.txt', import.meta.url), 'utf8');
/** Text of GNU as to its bytes as hex. */
const known = new Map(
  fixture
    .trimEnd()
    .split('\n')
    .map((line) => {
      const blank = line.indexOf(' ');
      return [line.slice(blank + 1), line.slice(0, blank)];
    }),
);

/** `text: bytes` of those whose bytes differ from GNU's; all of them in one comparison, readable where it fails. */
function compare(samples: readonly Sample[]): void {
  const ours = samples.map((sample) => `${sample.text}: ${hexOf(sample)}`);
  const theirs = samples.map(({ text }) => `${text}: ${known.get(text)}`);
  const wrong = ours.filter((line, i) => line !== theirs[i]);
  expect(wrong).toEqual(theirs.filter((line, i) => line !== ours[i]));
}

describe('the bytes are those of GNU as', () => {
  const vectors = vectorSamples();

  test('for general registers', () => compare(generalSamples));

  test('for vectors, masks and tiles', () => compare(vectors));

  test('and every instruction has a sample', () => {
    const sampled = new Set([...generalSamples, ...vectors].map(({ mnemonic }) => mnemonic));
    const all = [...Object.keys(GENERAL), ...Object.keys(VECTOR_TABLE)];
    expect(all.filter((name) => !sampled.has(name))).toEqual([]);
  });
});
