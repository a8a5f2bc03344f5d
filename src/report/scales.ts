/** Scales of plots, worked out here where labels are placed in pixels: domains, ticks, positions. */

export type ScaleType = 'log' | 'linear';
export type Domain = readonly [number, number];

/** Position on a scale, 0 to 1, and back. */
export interface Axis {
  to(value: number): number;
  from(share: number): number;
}

export function axisOf(type: ScaleType, [low, high]: Domain): Axis {
  if (type === 'linear') {
    return { to: (value) => (value - low) / (high - low), from: (share) => low + share * (high - low) };
  }
  const ratio = Math.log(high / low);
  return { to: (value) => Math.log(value / low) / ratio, from: (share) => low * Math.exp(share * ratio) };
}

/** Steps of a decade for ticks, coarse to fine. */
const STEPS = [
  [1],
  [1, 3],
  [1, 2, 5],
  [1, 1.5, 2, 3, 4, 6, 8],
  [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9],
];

/** Ticks of a log scale: the finest steps that give no more than `most`. */
export function logTicks([low, high]: Domain, most: number): number[] {
  const first = Math.floor(Math.log10(low));
  const decades = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => first + i);
  const all = STEPS.map((steps) =>
    decades
      .flatMap((decade) => steps.map((step) => Number((step * 10 ** decade).toPrecision(3))))
      .filter((tick) => tick >= low && tick <= high),
  );
  return all.filter((ticks) => ticks.length <= most).at(-1) ?? [];
}

/** The smallest and the largest with some room around. @param room as a share of their ratio, in logarithms. */
export function logDomain(values: readonly number[], room: number): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const factor = Math.max(1.15, (high / low) ** room);
  return [low / factor, high * factor];
}
