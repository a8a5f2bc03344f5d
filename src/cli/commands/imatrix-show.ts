/** `bitmill imatrix show`: what an importance matrix says, as a table, as JSON, and as a picture. */
import path from 'node:path';
import type { Command } from 'commander';
import { quoted } from '../../gguf/index.ts';
import {
  type ImportanceMatrix,
  type LayerStatistics,
  layerStatistics,
  type TensorStatistics,
  tensorStatistics,
} from '../../imatrix/index.ts';
import { importanceMap } from '../../report/index.ts';
import { readImportanceFile } from '../imatrix-files.ts';
import { parseChoice, parseWhole } from '../option-values.ts';
import { writePictures } from '../pictures.ts';
import { printJson, table } from '../terminal.ts';

interface ShowFlags {
  readonly sort: string;
  readonly top?: string;
  readonly columns: string;
  readonly json?: boolean;
  readonly svg?: string;
  readonly png?: string;
}

/** Orders of the table: the first row is the one to look at. */
const ORDERS = {
  layer: () => 0,
  name: (a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }),
  sum: (a, b) => b.sum - a.sum,
  mean: (a, b) => b.mean - a.mean,
  max: (a, b) => b.max - a.max,
  entropy: (a, b) => a.evenness - b.evenness,
  active: (a, b) => a.active - b.active,
  outliers: (a, b) => b.outliers - a.outliers,
  cosine: (a, b) => (a.cosine ?? 2) - (b.cosine ?? 2),
} as const satisfies Record<string, (a: TensorStatistics, b: TensorStatistics) => number>;

const ORDER_NAMES = Object.keys(ORDERS) as (keyof typeof ORDERS)[];

const LEGEND = `
Numbers are of mean squares: squared inputs of a column over the tokens.
  active    share of columns above 1e-5
  entropy   of the columns' shares, in bits; even: over its maximum (1: all alike, 0: one has everything)
  z > 1     share of columns more than one standard deviation above the mean
  cosine    similarity to the same tensor one layer before
  top       the largest columns, with their share of the sum

Sorted so that the row to look at comes first: ${ORDER_NAMES.join(', ')}.`;

/** Four digits, as short as they can be written. */
function short(value: number): string {
  if (value === 0) return '0';
  return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5
    ? value.toPrecision(4)
    : value.toExponential(2).replace('e+', 'e');
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const optional = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(4));

function tensorTable(tensors: readonly TensorStatistics[]): string {
  const head = ['tensor', 'N', 'sum', 'mean', 'min', 'max', 'sigma', 'active', 'entropy', 'even', 'z > 1'];
  const rows = tensors.map((one) => [
    quoted(one.name)
      .slice(1, -1)
      .replace(/\.weight$/, ''),
    String(one.columns),
    short(one.sum),
    short(one.mean),
    short(one.min),
    short(one.max),
    short(one.sigma),
    percent(one.active),
    one.entropy.toFixed(2),
    one.evenness.toFixed(3),
    percent(one.outliers),
    optional(one.cosine),
    one.top.map(({ column, share }) => `${column} (${percent(share)})`).join(', '),
  ]);
  return table([[...head, 'cosine', 'top'], ...rows], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
}

function layerTable(layers: readonly LayerStatistics[]): string {
  const rows = layers.map((one) => [
    String(one.layer),
    String(one.columns),
    short(one.mean),
    percent(one.active),
    one.evenness.toFixed(3),
    percent(one.outliers),
    optional(one.cosine),
  ]);
  return table([['layer', 'N', 'mean', 'active', 'even', 'z > 1', 'cosine'], ...rows], [0, 1, 2, 3, 4, 5, 6]);
}

function headText(matrix: ImportanceMatrix): string {
  const { name, form, entries, datasets, chunkCount, chunkSize } = matrix;
  const texts = datasets.map((text) => quoted(text).slice(1, -1)).join(', ');
  return table([
    ['file', `${name} (${form})`],
    ['entries', String(entries.size)],
    ['chunks', `${chunkCount} of ${chunkSize} tokens`],
    ['texts', texts === '' ? 'not recorded' : texts],
  ]);
}

/** Undefined becomes null: a key that is always there is easier to read. */
function json(
  matrix: ImportanceMatrix,
  shown: readonly TensorStatistics[],
  layers: readonly LayerStatistics[],
) {
  return {
    file: matrix.name,
    form: matrix.form,
    datasets: matrix.datasets,
    chunk_count: matrix.chunkCount,
    chunk_size: matrix.chunkSize,
    tensors: shown.map(({ layer, cosine, top, ...numbers }) => ({
      ...numbers,
      layer: layer ?? null,
      cosine: cosine ?? null,
      top: top.map(({ column, meanSquare, share }) => ({ column, mean_square: meanSquare, share })),
    })),
    layers: layers.map(({ cosine, ...numbers }) => ({ ...numbers, cosine: cosine ?? null })),
  };
}

async function show(file: string, flags: ShowFlags): Promise<void> {
  const order = ORDERS[parseChoice('--sort', flags.sort, ORDER_NAMES)];
  const rows = flags.top === undefined ? Number.POSITIVE_INFINITY : parseWhole('--top', flags.top, 1, 1e6);
  const columns = parseWhole('--columns', flags.columns, 0, 1000);
  const matrix = await readImportanceFile(file);
  const tensors = tensorStatistics(matrix, columns);
  const layers = layerStatistics(tensors);
  const shown = tensors.toSorted(order).slice(0, rows);
  if (flags.json) printJson(json(matrix, shown, layers));
  else process.stdout.write(`${[headText(matrix), tensorTable(shown), layerTable(layers)].join('\n\n')}\n`);
  await writePictures(importanceMap(matrix, path.basename(file)), flags, [file]);
}

export function defineImatrixShow(command: Command): void {
  command
    .name('show')
    .description('show what an importance matrix says of each tensor and layer')
    .argument('<file>', 'importance matrix (.gguf or .dat)')
    .option(`--sort <order>`, 'order of the tensors', 'layer')
    .option('--top <n>', 'only the first tensors of that order')
    .option('--columns <n>', 'largest columns listed for each tensor', '3')
    .option('--json', 'print JSON')
    .option('--svg <file>', 'heat map over layers and tensors as SVG')
    .option('--png <file>', 'the same as PNG')
    .addHelpText('after', LEGEND)
    .action(show);
}
