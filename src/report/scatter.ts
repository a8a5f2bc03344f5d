/** Files as labelled points over their size: what the plots of losses and of exams share, and where its labels go. */
import { FILE_TYPES, fileTypeByName } from '../quantize/index.ts';
import { type Box, labelWidth, type PlacedLabel, type Point, placeLabels } from './labels.ts';
import { type Axis, axisOf, type Domain, logDomain, type ScaleType } from './scales.ts';

/** Size of the plot without axes, for a page of 900 pixels. */
export const AREA = { width: 770, height: 470 } as const;

/** Longest label: names of recipes of one's own can be long. */
const LONGEST_LABEL = 24;

/** Room for the legend in its corner, and a line of it. */
const LEGEND = { width: 120, height: 84, line: 19 } as const;

/** Families of types: told apart by colour and, for those who see colours otherwise, by shape. */
export const FAMILIES = {
  'K-quants': { shape: 'circle', light: '#0067a5', dark: '#58b4ec' },
  'IQ-quants': { shape: 'diamond', light: '#c44e00', dark: '#f2a34a' },
  'legacy quants': { shape: 'square', light: '#00795a', dark: '#57cba8' },
  others: { shape: 'triangle-up', light: '#6b5b95', dark: '#c3b1e1' },
} as const;

export type Family = keyof typeof FAMILIES;

const OF_GROUP: Readonly<Record<string, Family>> = {
  k: 'K-quants',
  iq: 'IQ-quants',
  legacy: 'legacy quants',
};

export function familyOf(type: string): Family {
  const known = fileTypeByName(type);
  return (known && OF_GROUP[FILE_TYPES[known].group]) ?? 'others';
}

export interface ScatterPoint {
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  readonly value: number;
  /** Ends of the error bar. */
  readonly low: number;
  readonly high: number;
  /** Filled, and with a bold label; the line goes through these. */
  readonly isMarked: boolean;
}

/** A horizontal line with words at one end, over or under it. */
export interface Guide {
  readonly value: number;
  readonly text: string;
  readonly isAbove: boolean;
  readonly end: 'left' | 'right';
}

export interface Scatter {
  readonly title: string;
  readonly subtitle: string | readonly string[];
  readonly points: readonly ScatterPoint[];
  readonly values: {
    readonly title: string;
    readonly type: ScaleType;
    readonly domain: Domain;
    readonly ticks: readonly number[];
  };
  readonly guides: readonly Guide[];
  /** A line through the marked points. */
  readonly line: boolean;
  readonly legend: 'bottom-left' | 'bottom-right';
}

/** Pixels of the words of a guide over or under its line. */
export const GUIDE_OFFSET = 9;

/** Both axes, from values to pixels and back. */
export class Layout {
  readonly sizes: Domain;
  readonly #x: Axis;
  readonly #y: Axis;

  constructor({ points, values }: Scatter) {
    this.sizes = logDomain(
      points.map(({ size }) => size),
      0.05,
    );
    this.#x = axisOf('log', this.sizes);
    this.#y = axisOf(values.type, values.domain);
  }

  pixels(size: number, value: number): Point {
    return { x: AREA.width * this.#x.to(size), y: AREA.height * (1 - this.#y.to(value)) };
  }

  /** Size and value of a place in pixels. */
  values({ x, y }: Point): { readonly size: number; readonly value: number } {
    return { size: this.#x.from(x / AREA.width), value: this.#y.from(1 - y / AREA.height) };
  }
}

/** Where the mark of a line of the legend is, in pixels. @param lines of the legend. */
export function legendPlace({ legend }: Scatter, line: number, lines: number): Point {
  const left = legend === 'bottom-left' ? 0 : AREA.width - LEGEND.width;
  return { x: left + 14, y: AREA.height - LEGEND.line * (lines - line) + 2 };
}

/** Words of guides and the legend: nothing may stand on them. */
function standingText({ guides, legend }: Scatter, layout: Layout): Box[] {
  const words = guides.map(({ value, text, isAbove, end }) => {
    const width = labelWidth(text);
    const { y } = layout.pixels(layout.sizes[1], value);
    return {
      x: end === 'left' ? width / 2 : AREA.width - width / 2,
      y: y + (isAbove ? -GUIDE_OFFSET : GUIDE_OFFSET),
      width,
      height: 14,
    };
  });
  const x = legend === 'bottom-left' ? LEGEND.width / 2 : AREA.width - LEGEND.width / 2;
  const { width, height } = LEGEND;
  return [...words, { x, y: AREA.height - height / 2, width, height }];
}

/** Labels of the points, in pixels. */
export function scatterLabels(plot: Scatter): PlacedLabel[] {
  const layout = new Layout(plot);
  const { points, guides, line } = plot;
  const marked = points
    .filter(({ isMarked }) => isMarked)
    .map(({ size, value }) => layout.pixels(size, value));
  const bars = points.map(
    ({ size, low, high }) => [layout.pixels(size, low), layout.pixels(size, high)] as const,
  );
  const rules = guides.map(({ value }) => {
    const { y } = layout.pixels(layout.sizes[0], value);
    return [
      { x: 0, y },
      { x: AREA.width, y },
    ] as const;
  });
  const front = line ? marked.slice(1).map((to, i) => [marked[i], to] as const) : [];
  return placeLabels(
    points.map(({ type, size, value }) => ({
      ...layout.pixels(size, value),
      text: type.slice(0, LONGEST_LABEL),
    })),
    AREA,
    { lines: [...bars, ...front, ...rules], boxes: standingText(plot, layout) },
  );
}
