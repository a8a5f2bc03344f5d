/** Labels of plots: none covers another or leaves the picture, on the plots of a full set and on random crowds. */
import { expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { examScatter } from './exam-plot.ts';
import { overlap, type PlacedLabel, placeLabels } from './labels.ts';
import { lossScatter } from './loss-plot.ts';
import { AREA, type Scatter, scatterLabels } from './scatter.ts';
import { testSet } from './set.cases.ts';

function pairsThatOverlap(labels: readonly PlacedLabel[]): string[] {
  return labels.flatMap((a, i) =>
    labels.slice(i + 1).flatMap((b) => (overlap(a, b) ? `${a.text} ${b.text}` : [])),
  );
}

function outside(labels: readonly PlacedLabel[]): string[] {
  return labels
    .filter(
      ({ x, y, width, height }) =>
        x - width / 2 < 0 || y - height / 2 < 0 || x + width / 2 > AREA.width || y + height / 2 > AREA.height,
    )
    .map(({ text }) => text);
}

const set = testSet();

test.each([
  ['loss', lossScatter(set)],
  ['exam', examScatter(set)],
])('all 27 labels of the plot of the %s stand apart, inside of it', (_, plot) => {
  const labels = scatterLabels(plot as Scatter);
  expect(labels).toHaveLength(27);
  expect(pairsThatOverlap(labels)).toEqual([]);
  expect(outside(labels)).toEqual([]);
});

test('27 points in a quarter of the area, or all in one place: still apart and inside', () => {
  for (let seed = 0; seed < 4; seed++) {
    const random = uniform(seed);
    const points = Array.from({ length: 27 }, (_, i) => ({
      x: (AREA.width / 2) * (0.5 + random()),
      y: (AREA.height / 2) * (0.5 + random()),
      text: `IQ${i}_XXS`,
    }));
    const labels = placeLabels(points, AREA);
    expect(labels).toHaveLength(27);
    expect(pairsThatOverlap(labels)).toEqual([]);
    expect(outside(labels)).toEqual([]);
  }
  const same = Array.from({ length: 12 }, (_, i) => ({ x: 300, y: 200, text: `Q${i}_K` }));
  expect(pairsThatOverlap(placeLabels(same, AREA))).toEqual([]);
});

test('a point in a corner has its label towards the middle; a lone one to the right and above', () => {
  const [corner] = placeLabels([{ x: AREA.width, y: 0, text: 'Q8_0' }], AREA);
  expect(corner.x).toBeLessThan(AREA.width);
  expect(corner.y).toBeGreaterThan(0);
  const [lone] = placeLabels([{ x: 300, y: 200, text: 'Q8_0' }], AREA);
  expect(lone.x).toBeGreaterThan(300);
  expect(lone.y).toBeLessThan(200);
  expect(lone.leader).toBeUndefined();
});

test('a label wider than the plot is left out, the others stand', () => {
  const labels = placeLabels(
    [
      { x: 50, y: 50, text: 'W'.repeat(200) },
      { x: 60, y: 60, text: 'Q6_K' },
    ],
    AREA,
  );
  expect(labels.map(({ of, text }) => [of, text])).toEqual([[1, 'Q6_K']]);
});
