/** An importance matrix as a picture: layers across, tensors down, once by size and once by evenness. */
import { inputError } from '../core/index.ts';
import type { ImportanceMatrix } from '../imatrix/index.ts';
import { tensorStatistics } from '../imatrix/index.ts';
import { THEMES, type ThemeName, type TopLevelSpec } from './picture.ts';
import { inOrder } from './tensor-order.ts';

/** Largest width of all cells of a row, and largest side of a cell; in pixels. */
const MAP_WIDTH = 760;
const CELL = { least: 10, most: 60 } as const;

/** The two maps: what is coloured, and how. */
const MAPS = [
  {
    field: 'mean',
    title: 'Mean square of the inputs',
    note: 'how large the activations are that enter each matrix',
    scale: { type: 'log', scheme: 'magma' },
    format: '.2~g',
    ticks: (low: number, high: number) => [low, Math.sqrt(low * high), high],
  },
  {
    field: 'evenness',
    title: 'Evenness over the columns',
    note: 'entropy: 1 if all columns matter alike, 0 if one has everything',
    scale: { type: 'linear', scheme: 'viridis', domainMax: 1 },
    format: '.2f',
    ticks: (low: number) => [low, (low + 1) / 2, 1],
  },
] as const;

/** Every `step`-th layer gets a label, so that labels stay apart. */
function labelled(layers: readonly number[], cell: number): number[] {
  const step = Math.ceil(24 / cell);
  return layers.filter((layer) => layer % step === 0);
}

/** Least and largest number of a field, null left out; undefined if there is none. */
function range<F extends string>(
  values: readonly Record<F, number | null>[],
  field: F,
): [number, number] | undefined {
  const numbers = values.flatMap((one) => one[field] ?? []);
  return numbers.length > 0 ? [Math.min(...numbers), Math.max(...numbers)] : undefined;
}

/** What a reader has to know of the source: texts and tokens. */
function subtitle({ datasets, chunkCount, chunkSize }: ImportanceMatrix): string {
  const chunks = `${chunkCount} ${chunkCount === 1 ? 'chunk' : 'chunks'} of ${chunkSize} tokens`;
  return datasets.length > 0 ? `${chunks}: ${datasets.join(', ')}` : chunks;
}

/**
 * Two heat maps as a Vega-Lite specification. Tensors outside of the layers are left out.
 * @param title for example the file's name. @throws input error: no tensor is in a layer.
 */
export function importanceMap(
  matrix: ImportanceMatrix,
  title: string,
  theme: ThemeName = 'light',
): TopLevelSpec {
  const tensors = tensorStatistics(matrix, 0).filter(({ layer }) => layer !== undefined);
  if (tensors.length === 0)
    throw inputError(matrix.name, 'has no tensor in a layer, so there is nothing to draw');
  const layers = [...new Set(tensors.map(({ layer }) => layer ?? 0))];
  const cell = Math.max(CELL.least, Math.min(CELL.most, Math.floor(MAP_WIDTH / Math.max(1, layers.length))));
  // A log scale has no place for 0: dead tensors stay blank.
  const values = tensors.map(({ layer, kind, mean, evenness }) => ({
    layer,
    kind,
    mean: mean || null,
    evenness,
  }));
  const ticksOf = (field: 'mean' | 'evenness', ticks: (low: number, high: number) => number[]) => {
    const span = range(values, field);
    return span ? ticks(...span) : [];
  };
  // Small numbers come close to the page, whichever it is; evenness is read the same on both.
  const scaleOf = (field: 'mean' | 'evenness', scale: object) =>
    field === 'mean' && theme === 'light' ? { ...scale, reverse: true } : scale;
  const panel = ({ field, title: name, note, scale, format, ticks }: (typeof MAPS)[number]) => ({
    title: { text: name, subtitle: note, fontSize: 13, subtitleFontSize: 11, offset: 8 },
    width: { step: cell },
    height: { step: 26 },
    mark: { type: 'rect', stroke: THEMES[theme].background, strokeWidth: 1 },
    encoding: {
      x: {
        field: 'layer',
        type: 'ordinal',
        title: 'layer',
        scale: { domain: layers },
        axis: { values: labelled(layers, cell), labelAngle: 0, ticks: false, domain: false },
      },
      y: {
        field: 'kind',
        type: 'nominal',
        sort: inOrder(tensors.map(({ kind }) => kind)),
        title: null,
        axis: { ticks: false, domain: false, labelPadding: 8 },
      },
      color: {
        field,
        type: 'quantitative',
        scale: scaleOf(field, scale),
        legend: { title: null, format, gradientLength: 90, values: ticksOf(field, ticks) },
      },
    },
  });
  return {
    title: { text: title, subtitle: subtitle(matrix) },
    data: { values },
    vconcat: MAPS.map(panel),
    spacing: 28,
    resolve: { scale: { color: 'independent' } },
  } as TopLevelSpec;
}
