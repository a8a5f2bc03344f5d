/**
 * Sets of characters: Unicode scalar values as ranges `[first, last]`, in order, neither overlapping nor touching.
 * Surrogates are no characters and never in a set.
 */
export type CharSet = readonly (readonly [number, number])[];

const LAST_CHARACTER = 0x10ffff;
const SURROGATES: CharSet = [[0xd800, 0xdfff]];

function merged(ranges: CharSet): [number, number][] {
  const inOrder = ranges.filter(([first, last]) => first <= last).sort((a, b) => a[0] - b[0]);
  const result: [number, number][] = [];
  for (const [first, last] of inOrder) {
    const before = result.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else result.push([first, last]);
  }
  return result;
}

function gaps(ranges: CharSet): [number, number][] {
  const result: [number, number][] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    if (first > next) result.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= LAST_CHARACTER) result.push([next, LAST_CHARACTER]);
  return result;
}

/** Any ranges, in any order, as a set. */
export function charSet(...ranges: CharSet): CharSet {
  return intersection(merged(ranges), gaps(SURROGATES));
}

export function intersection(a: CharSet, b: CharSet): CharSet {
  const result: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const first = Math.max(a[i][0], b[j][0]);
    const last = Math.min(a[i][1], b[j][1]);
    if (first <= last) result.push([first, last]);
    if (a[i][1] < b[j][1]) i++;
    else j++;
  }
  return result;
}

export function complement(set: CharSet): CharSet {
  return charSet(...gaps(set));
}

export function contains(set: CharSet, character: number): boolean {
  let [low, high] = [0, set.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (set[middle][1] < character) low = middle + 1;
    else high = middle;
  }
  return low < set.length && set[low][0] <= character;
}

export const ANY_CHARACTER = charSet([0, LAST_CHARACTER]);

/**
 * The coarsest cut of all characters such that each of the given sets is made of whole parts.
 * Time n log n in the number of ranges, times sets for the parts.
 */
export function partition(sets: readonly CharSet[]): CharSet[] {
  const bounds = new Set<number>([0]);
  for (const set of sets) {
    for (const [first, last] of set) bounds.add(first).add(last + 1);
  }
  const cuts = [...bounds].filter((cut) => cut <= LAST_CHARACTER).sort((a, b) => a - b);
  const at = sets.map(() => 0);
  const parts = new Map<string, [number, number][]>();
  cuts.forEach((first, i) => {
    const last = (cuts[i + 1] ?? LAST_CHARACTER + 1) - 1;
    const members: number[] = [];
    sets.forEach((set, s) => {
      while (at[s] < set.length && set[at[s]][1] < first) at[s]++;
      if (at[s] < set.length && set[at[s]][0] <= first) members.push(s);
    });
    const key = members.join();
    const part = parts.get(key);
    if (part) part.push([first, last]);
    else parts.set(key, [[first, last]]);
  });
  return [...parts.values()].map((part) => charSet(...part)).filter((part) => part.length > 0);
}
