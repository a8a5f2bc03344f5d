/** Loss per tensor and layer: a heat map for each of a few types, spread over the bits, on one colour scale. */
import { lossOf, paretoFront } from './losses.ts';
import { code } from './markdown.ts';
import { short } from './numbers.ts';
import { THEMES, type ThemeName, type TopLevelSpec } from './picture.ts';
import { lines } from './picture-text.ts';
import type { QuantEntry, QuantSet } from './quant-set.ts';
import { logTicks } from './scales.ts';
import { inOrder } from './tensor-order.ts';

/** Maps at most, side by side. */
const MOST = 6;
const COLUMNS = 3;

/** Width of a map, and sides of a cell, in pixels. */
const MAP_WIDTH = 232;
const CELL = { least: 3, most: 26, height: 20 } as const;

const NAME = /^blk\.(\d+)\.(.+)\.weight$/;

interface Cell {
  readonly layer: number;
  readonly kind: string;
  readonly format: string;
  /** Per cent; null has no place on a log scale and stays blank. */
  readonly error: number | null;
}

function cellsOf({ errors = {} }: QuantEntry): Cell[] {
  return Object.entries(errors).flatMap(([name, { format, error }]) => {
    const match = NAME.exec(name);
    if (!match) return [];
    return { layer: Number(match[1]), kind: match[2], format, error: error > 0 ? 100 * error : null };
  });
}

/** At most so many types, few bits first: ends and what lies evenly between; of the front where it is long enough. */
function mappedTypes(set: QuantSet, most = MOST): QuantEntry[] {
  const drawn = set.quants.filter((quant) => cellsOf(quant).some(({ error }) => error !== null));
  const losses = drawn.flatMap((quant) => lossOf(quant) ?? []);
  const front = paretoFront(losses).map(({ quant }) => quant);
  const from = (front.length >= most ? front : drawn).toSorted((a, b) => a.bitsPerWeight - b.bitsPerWeight);
  if (from.length <= most) return from;
  const bits = from.map(({ bitsPerWeight }) => Math.log(bitsPerWeight));
  const [low, high] = [bits[0], bits[bits.length - 1]];
  const chosen = new Set<QuantEntry>();
  for (let i = 0; i < most; i++) {
    const wanted = low + ((high - low) * i) / (most - 1);
    const free = from.filter((quant) => !chosen.has(quant));
    const off = ({ bitsPerWeight }: QuantEntry) => Math.abs(Math.log(bitsPerWeight) - wanted);
    chosen.add(free.reduce((a, b) => (off(b) < off(a) ? b : a)));
  }
  return from.filter((quant) => chosen.has(quant));
}

/** What the maps leave out, as a sentence: tensors outside of the layers, in the types that are drawn. */
export function outsideText(set: QuantSet): string {
  const types = mappedTypes(set);
  const names = [...new Set(types.flatMap(({ errors = {} }) => Object.keys(errors)))].filter(
    (name) => !NAME.test(name),
  );
  const parts = names.sort().map((name) => {
    const errors = types.map(({ errors = {} }) =>
      Object.hasOwn(errors, name) ? errors[name].error : undefined,
    );
    const shown = errors.map((error) => (error === undefined ? 'not quantized' : `${short(100 * error)} %`));
    return `${code(name)} ${shown.join(', ')}`;
  });
  return parts.length === 0 ? '' : ` Outside of the layers, in the same order: ${parts.join('; ')}.`;
}

export function errorMap(set: QuantSet, theme: ThemeName): TopLevelSpec | undefined {
  const types = mappedTypes(set);
  if (types.length === 0) return undefined;
  const labelOf = ({ type, bitsPerWeight }: QuantEntry) => `${type}, ${bitsPerWeight.toFixed(2)} bits`;
  const values = types.flatMap((quant) => cellsOf(quant).map((cell) => ({ ...cell, map: labelOf(quant) })));
  const layers = [...new Set(values.map(({ layer }) => layer))].sort((a, b) => a - b);
  const cell = Math.max(CELL.least, Math.min(CELL.most, Math.floor(MAP_WIDTH / layers.length)));
  const step = Math.ceil(28 / cell);
  const errors = values.flatMap(({ error }) => error ?? []);
  const domain = [Math.min(...errors), Math.max(...errors)] as const;
  const sampled =
    set.sampledRows === undefined ? '' : `, estimated on at most ${set.sampledRows} rows of each`;
  const panel = (quant: QuantEntry, i: number) => ({
    title: { text: labelOf(quant), fontSize: 12, fontWeight: 600, offset: 6 },
    data: { values: values.filter(({ map }) => map === labelOf(quant)) },
    width: { step: cell },
    height: { step: CELL.height },
    mark: { type: 'rect', stroke: THEMES[theme].background, strokeWidth: cell > 6 ? 1 : 0.5 },
    encoding: {
      x: {
        field: 'layer',
        type: 'ordinal',
        title: 'layer',
        scale: { domain: layers },
        axis: {
          values: layers.filter((layer) => layer % step === 0),
          labelAngle: 0,
          ticks: false,
          domain: false,
        },
      },
      y: {
        field: 'kind',
        type: 'nominal',
        title: null,
        sort: inOrder(values.map(({ kind }) => kind)),
        axis: i % COLUMNS === 0 ? { ticks: false, domain: false, labelPadding: 6 } : null,
      },
      color: {
        field: 'error',
        type: 'quantitative',
        scale: { type: 'log', scheme: 'viridis', reverse: theme === 'light', domain, nice: false },
        legend: {
          title: 'relative squared error',
          titleLimit: 400,
          orient: 'bottom',
          direction: 'horizontal',
          gradientLength: 420,
          gradientThickness: 10,
          values: logTicks(domain, 8),
          labelExpr: "format(datum.value, '~g') + ' %'",
          titlePadding: 8,
          offset: 22,
        },
      },
    },
  });
  return {
    title: {
      text: 'Loss per tensor and layer',
      subtitle: lines(
        `${set.model.name}: squared error of each matrix relative to its squared weights, both weighted by importance${sampled}.`,
      ),
    },
    columns: COLUMNS,
    concat: types.map(panel),
    spacing: { row: 30, column: 22 },
    resolve: { scale: { color: 'shared' } },
  } as unknown as TopLevelSpec;
}
