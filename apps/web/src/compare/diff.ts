/**
 * Two answers unit by unit (tokens, or words): what is equal, what is not, and how the two line up. The longest common
 * subsequence, without the chance matches (a lone comma between two different sentences) that would tear it apart.
 */

/** `open`: one answer has gone on, the other may still follow. */
export type SegmentKind = 'equal' | 'different' | 'open';

/** Units `from` up to, not including, `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A run of A beside a run of B; those of an equal one are of one length. */
export interface Segment {
  readonly kind: SegmentKind;
  readonly a: Range;
  readonly b: Range;
}

/** Which of the answers may still grow. */
export interface Growing {
  readonly a: boolean;
  readonly b: boolean;
}

/** Cells of the table at most, of 2 bytes: beyond, what follows the common beginning counts as different. */
const MOST_CELLS = 2 ** 23;

const length = ({ from, to }: Range): number => to - from;

export function align(a: readonly string[], b: readonly string[], growing?: Growing): Segment[] {
  const most = Math.min(a.length, b.length);
  let head = 0;
  while (head < most && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const matches = [
    ...run(0, 0, head),
    ...common(a, b, head, tail),
    ...run(a.length - tail, b.length - tail, tail),
  ];
  return opened(withoutChance(segments(matches, a.length, b.length)), growing);
}

type Match = readonly [number, number];

function run(a: number, b: number, count: number): Match[] {
  return Array.from({ length: count }, (_, i): Match => [a + i, b + i]);
}

/** Pairs of a longest common subsequence between the common beginning and end. */
function common(a: readonly string[], b: readonly string[], head: number, tail: number): Match[] {
  const rows = a.length - head - tail;
  const cols = b.length - head - tail;
  if (rows === 0 || cols === 0 || (rows + 1) * (cols + 1) > MOST_CELLS) return [];
  // longest[i, j]: of what follows unit i of A and j of B.
  const longest = new Uint16Array((rows + 1) * (cols + 1));
  const at = (i: number, j: number) => i * (cols + 1) + j;
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = cols - 1; j >= 0; j--) {
      longest[at(i, j)] =
        a[head + i] === b[head + j]
          ? longest[at(i + 1, j + 1)] + 1
          : Math.max(longest[at(i + 1, j)], longest[at(i, j + 1)]);
    }
  }
  const matches: Match[] = [];
  for (let i = 0, j = 0; i < rows && j < cols; ) {
    if (a[head + i] === b[head + j]) matches.push([head + i++, head + j++]);
    else if (longest[at(i + 1, j)] >= longest[at(i, j + 1)]) i++;
    else j++;
  }
  return matches;
}

function segments(matches: readonly Match[], lengthA: number, lengthB: number): Segment[] {
  const all: Segment[] = [];
  let [i, j] = [0, 0];
  const different = (toA: number, toB: number) => {
    if (toA > i || toB > j) all.push({ kind: 'different', a: { from: i, to: toA }, b: { from: j, to: toB } });
  };
  for (const [atA, atB] of matches) {
    different(atA, atB);
    const last = all.at(-1);
    const joins = last?.kind === 'equal' && last.a.to === atA && last.b.to === atB;
    const start = joins ? last : { a: { from: atA }, b: { from: atB } };
    if (joins) all.pop();
    all.push({
      kind: 'equal',
      a: { from: start.a.from, to: atA + 1 },
      b: { from: start.b.from, to: atB + 1 },
    });
    [i, j] = [atA + 1, atB + 1];
  }
  different(lengthA, lengthB);
  return all;
}

/** Equal runs that are shorter than the differences on both sides are chance: all three become one difference. */
function withoutChance(all: readonly Segment[]): Segment[] {
  const kept: Segment[] = [];
  const size = ({ a, b }: Segment) => Math.max(length(a), length(b));
  for (const segment of all) {
    kept.push(segment);
    for (;;) {
      const [before, middle, after] = kept.slice(-3);
      if (!after || middle.kind !== 'equal' || size(middle) >= Math.min(size(before), size(after))) break;
      kept.splice(-3, 3, {
        kind: 'different',
        a: { from: before.a.from, to: after.a.to },
        b: { from: before.b.from, to: after.b.to },
      });
    }
  }
  return kept;
}

/** The end of the longer answer is no difference while the shorter one may still say the same. */
function opened(all: readonly Segment[], growing: Growing | undefined): Segment[] {
  const last = all.at(-1);
  if (last?.kind !== 'different' || !growing) return [...all];
  const ahead = (length(last.b) === 0 && growing.b) || (length(last.a) === 0 && growing.a);
  return ahead ? [...all.slice(0, -1), { ...last, kind: 'open' }] : [...all];
}

/** What the segments say in numbers. */
export interface Agreement {
  /** Units before the first difference; undefined: there is none (yet). */
  readonly firstDifference: number | undefined;
  /** Units that are equal, in each of the answers. */
  readonly equal: number;
  /** Of all units of both, those that are equal: 0 to 1. Of nothing: 1. */
  readonly share: number;
}

export function agreement(all: readonly Segment[]): Agreement {
  let [equal, compared] = [0, 0];
  for (const { kind, a, b } of all) {
    if (kind === 'equal') equal += length(a);
    if (kind !== 'open') compared += length(a) + length(b);
  }
  const first = all.find(({ kind }) => kind === 'different');
  return { firstDifference: first?.a.from, equal, share: compared === 0 ? 1 : (2 * equal) / compared };
}
