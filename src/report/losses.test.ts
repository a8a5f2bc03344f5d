/** Choosing by measured losses: the front against brute force, grades at their limits, memory by hand. */
import { expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { assumptions, memoryFor, memoryLadder } from './advice.ts';
import { beatenBy, GRADES, gradeOf, type Loss, largestKld, lossOf, paretoFront } from './losses.ts';
import { testSet } from './set.cases.ts';

const [quant] = testSet().quants;

function loss(bytes: number, kld: number, sameTop = 1): Loss {
  return { quant: { ...quant, type: `${bytes}/${kld}`, bytes }, kld, se: undefined, sameTop };
}

test('the front is what a comparison of every pair leaves, ties and all', () => {
  const random = uniform(1);
  for (let round = 0; round < 50; round++) {
    const losses = Array.from({ length: 20 }, () =>
      loss(1 + Math.floor(12 * random()), 1 + Math.floor(12 * random())),
    );
    const front = paretoFront(losses);
    for (const one of losses) {
      let isBeaten = false;
      for (const other of losses) {
        const noWorse = other.quant.bytes <= one.quant.bytes && other.kld <= one.kld;
        if (noWorse && (other.quant.bytes !== one.quant.bytes || other.kld !== one.kld)) isBeaten = true;
      }
      expect(front.includes(one)).toBe(!isBeaten);
      expect(beatenBy(one, losses) !== undefined).toBe(isBeaten);
    }
  }
});

test('of those that beat a file, the closest to the original is named', () => {
  const [a, b, c] = [loss(1, 0.3), loss(2, 0.2), loss(3, 0.4)];
  expect(beatenBy(c, [a, b, c])).toBe(b);
  expect(beatenBy(b, [a, b, c])).toBeUndefined();
});

test('limits of the words: ln 20 over the tokens, and the worse of divergence and first choices decides', () => {
  expect(GRADES.slice(0, 4).map((grade) => largestKld(grade).toFixed(4))).toEqual([
    '0.0030',
    '0.0300',
    '0.1498',
    '0.5991',
  ]);
  const name = (kld: number, top: number) => gradeOf(loss(1, kld, top)).name;
  expect(name(0.0029, 0.97)).toBe('indistinguishable');
  expect(name(0.0031, 0.97)).toBe('hardly noticeable');
  expect(name(0.0029, 0.96)).toBe('hardly noticeable');
  expect(name(0.0029, 0.85)).toBe('noticeable');
  expect(name(0.5, 0.99)).toBe('strong');
  expect(name(0.7, 0.99)).toBe('broken');
  expect(name(0, 0.1)).toBe('broken');
});

test('a quant without a divergence has no loss, and NaN is none', () => {
  expect(lossOf({ ...quant, figures: undefined })).toBeUndefined();
  expect(lossOf({ ...quant, figures: { kld_mean: null } })).toBeUndefined();
});

const MIB = 2 ** 20;

/** Three files of 10, 20 and 40 MiB and an original of 80; 4096 tokens of 1 KiB cache, a vocabulary of 1024. */
function smallSet() {
  const set = testSet();
  set.model = { ...set.model, bytes: 80 * MIB, cacheWidth: 512, vocabulary: 1024, contextLength: 8192 };
  const [a, b, c] = set.quants;
  set.quants = [
    { ...a, type: 'small', bytes: 10 * MIB, figures: { kld_mean: 0.5 } },
    { ...b, type: 'worse', bytes: 20 * MIB, figures: { kld_mean: 0.6 } },
    { ...c, type: 'large', bytes: 40 * MIB, figures: { kld_mean: 0.1 } },
  ];
  return set;
}

test('memory: file and a twentieth, 4 MiB of cache, 2 MiB of logits; only steps that change the choice', () => {
  const set = smallSet();
  const given = assumptions(set);
  expect(given).toMatchObject({ context: 4096, cacheBytes: 4 * MIB, logitsBytes: 2 * MIB });
  expect(memoryFor(10 * MIB, given)).toBe(16.5 * MIB);
  const ladder = memoryLadder(set).map(({ memory, choice }) => [
    memory / MIB,
    choice.quant?.type ?? 'original',
  ]);
  // 16.5, 27, 48 and 90 MiB are needed; the file of 20 MiB is never the best.
  expect(ladder).toEqual([
    [24, 'small'],
    [48, 'large'],
    [96, 'original'],
  ]);
});

test('without losses the most bits are best; a short context needs less cache; an unknown cache is not counted', () => {
  const set = smallSet();
  for (const quant of set.quants) quant.figures = undefined;
  set.quants[1].bitsPerWeight = 4;
  set.quants[2].bitsPerWeight = 8;
  expect(memoryLadder(set).map(({ choice }) => choice.quant?.type)).toEqual([
    'small',
    'worse',
    'large',
    undefined,
  ]);
  set.model.contextLength = 1024;
  expect(assumptions(set).cacheBytes).toBe(MIB);
  set.model.cacheWidth = undefined;
  expect(memoryFor(10 * MIB, assumptions(set))).toBe(12.5 * MIB);
});

test('where nothing fits in any memory there is no advice', () => {
  const set = smallSet();
  set.model.cacheWidth = 1e12;
  expect(memoryLadder(set)).toEqual([]);
});
