/** Alignments that a reader can check by eye. Units are words here. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { agreement, align, type Growing, type Segment } from './diff.ts';

const words = (text: string) => text.split(' ').filter((word) => word !== '');

/** `The =[capital]= {is|was} …`: equal runs plain, differences as {A|B}, open ones as (A|B). */
function shown(a: string, b: string, growing?: Growing): string {
  const [wordsA, wordsB] = [words(a), words(b)];
  const forms: Record<Segment['kind'], (one: string, other: string) => string> = {
    equal: (one) => one,
    different: (one, other) => `{${one}|${other}}`,
    open: (one, other) => `(${one}|${other})`,
  };
  return align(wordsA, wordsB, growing)
    .map(({ kind, a, b }) =>
      forms[kind](wordsA.slice(a.from, a.to).join(' '), wordsB.slice(b.from, b.to).join(' ')),
    )
    .join(' ');
}

test('equal answers have one equal run, empty ones none', () => {
  expect(shown('it is Paris .', 'it is Paris .')).toBe('it is Paris .');
  expect(align([], [])).toEqual([]);
});

test('a word that differs stands between what is equal', () => {
  expect(shown('the capital is Paris today .', 'the capital was Paris today .')).toBe(
    'the capital {is|was} Paris today .',
  );
});

test('a word too many, on either side', () => {
  expect(shown('it is nice', 'it is very nice')).toBe('it is {|very} nice');
  expect(shown('it is very nice', 'it is nice')).toBe('it is {very|} nice');
});

test('a comma that two different sentences share by chance does not tear them apart', () => {
  expect(shown('start one two , three four', 'start five six , seven eight')).toBe(
    'start {one two , three four|five six , seven eight}',
  );
});

test('what is equal again after a difference is aligned', () => {
  expect(shown('a b c x y z d e f g', 'a b c q d e f g')).toBe('a b c {x y z|q} d e f g');
});

test('while an answer grows, the one ahead is no difference yet', () => {
  const long = 'the capital is Paris';
  expect(shown(long, 'the capital', { a: true, b: true })).toBe('the capital (is Paris|)');
  expect(shown('the capital', long, { a: true, b: false })).toBe('the capital (|is Paris)');
  expect(shown(long, 'the capital', { a: true, b: false })).toBe('the capital {is Paris|}');
  expect(shown(long, 'the city', { a: true, b: true })).toBe('the {capital is Paris|city}');
});

test('figures: where the first difference is, and how much is equal', () => {
  const segments = align(words('the capital is Paris today .'), words('the capital was Paris today .'));
  expect(agreement(segments)).toEqual({ firstDifference: 2, equal: 5, share: 10 / 12 });
  expect(agreement(align(['a'], ['a']))).toEqual({ firstDifference: undefined, equal: 1, share: 1 });
  const ahead = align(['a', 'b'], ['a'], { a: true, b: true });
  expect(agreement(ahead)).toEqual({ firstDifference: undefined, equal: 1, share: 1 });
});

test('segments of any two answers cover both, in order, and equal ones are equal', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 30 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const all = align(a, b);
      expect(all.flatMap(({ a: { from, to } }) => a.slice(from, to))).toEqual(a);
      expect(all.flatMap(({ b: { from, to } }) => b.slice(from, to))).toEqual(b);
      for (const { kind, a: inA, b: inB } of all) {
        if (kind === 'equal') expect(a.slice(inA.from, inA.to)).toEqual(b.slice(inB.from, inB.to));
      }
      for (let i = 1; i < all.length; i++) expect(all[i].kind).not.toBe(all[i - 1].kind);
    }),
  );
});

test('answers too long for the table still agree on their beginning', () => {
  const a = ['same', ...Array.from({ length: 4000 }, (_, i) => `a${i}`)];
  const b = ['same', ...Array.from({ length: 4000 }, (_, i) => `b${i}`)];
  expect(align(a, b)).toEqual([
    { kind: 'equal', a: { from: 0, to: 1 }, b: { from: 0, to: 1 } },
    { kind: 'different', a: { from: 1, to: 4001 }, b: { from: 1, to: 4001 } },
  ]);
});
