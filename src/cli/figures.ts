/** The figures of measurements as tables for people and as JSON for programs. */
import path from 'node:path';
import { CONFIDENCE, difference, type Figure, type FigureName, type Summary } from '../evaluate/index.ts';
import { formatSize, table } from './terminal.ts';

/** A measured model. */
export interface Measurement {
  readonly file: string;
  /** Bytes of the file, all shards. */
  readonly bytes: number;
  readonly bitsPerWeight: number;
  readonly summary: Summary;
}

/** What everything was measured on. */
export interface Occasion {
  /** What computed. */
  readonly backend: string;
  /** Of its machine code, where it has several. */
  readonly level: string | undefined;
  /** Name of the text, or of the base whose tokens were used. */
  readonly text: string;
  readonly chunks: number;
  readonly contextSize: number;
  readonly stride: number;
  /** File and model of the base. */
  readonly base: { readonly file: string; readonly model: string | undefined } | undefined;
}

/** Shares and changes of probabilities are shown in per cent; perplexities with more digits than their error has. */
type Unit = 'plain' | 'ppl' | '%';

/** Rows of the table, in groups. A percentile's row has no mean. */
const ROWS: readonly (readonly [string, FigureName, Unit] | string)[] = [
  'Perplexity',
  ['of the model', 'ppl', 'ppl'],
  ['of the base', 'base_ppl', 'ppl'],
  ['model / base', 'ppl_ratio', 'ppl'],
  ['ln(model / base)', 'ln_ppl_ratio', 'plain'],
  ['model - base', 'ppl_difference', 'plain'],
  ['correlation of ln', 'ppl_correlation', '%'],
  'KL divergence from the base, nats',
  ['mean', 'kld_mean', 'plain'],
  ['maximum', 'kld_max', 'plain'],
  ['99.9 %', 'kld_p999', 'plain'],
  ['99 %', 'kld_p99', 'plain'],
  ['95 %', 'kld_p95', 'plain'],
  ['90 %', 'kld_p90', 'plain'],
  ['median', 'kld_median', 'plain'],
  ['10 %', 'kld_p10', 'plain'],
  ['5 %', 'kld_p05', 'plain'],
  ['1 %', 'kld_p01', 'plain'],
  ['0.1 %', 'kld_p001', 'plain'],
  ['minimum', 'kld_min', 'plain'],
  "Change of the next token's probability, percentage points",
  ['mean', 'dp_mean', '%'],
  ['root of the mean square', 'rms_dp', '%'],
  ['maximum', 'dp_max', '%'],
  ['99.9 %', 'dp_p999', '%'],
  ['99 %', 'dp_p99', '%'],
  ['95 %', 'dp_p95', '%'],
  ['90 %', 'dp_p90', '%'],
  ['75 %', 'dp_p75', '%'],
  ['median', 'dp_median', '%'],
  ['25 %', 'dp_p25', '%'],
  ['10 %', 'dp_p10', '%'],
  ['5 %', 'dp_p05', '%'],
  ['1 %', 'dp_p01', '%'],
  ['0.1 %', 'dp_p001', '%'],
  ['minimum', 'dp_min', '%'],
  'Same most likely token as the base, %',
  ['share', 'same_top', '%'],
];

/** Digits of a number whose error is not known, and of a perplexity: models on one text differ by less than its error. */
const DIGITS = 6;

/** Decimals that show an error with two digits. */
function decimalsFor(value: number, se: number, unit: Unit): number {
  const known = Number.isFinite(se) && se > 0 && unit !== 'ppl';
  const least = known ? se : Math.abs(value) * 10 ** (2 - DIGITS);
  return least > 0 ? Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(least)))) : 3;
}

/** Value, error and the ends of the interval, with the digits that the error leaves. */
function cells(figure: Figure, unit: Unit): string[] {
  const scale = unit === '%' ? 100 : 1;
  const [value, se] = [scale * figure.value, scale * figure.se];
  const decimals = decimalsFor(value, se, unit);
  const show = (number: number): string => number.toFixed(decimals);
  const interval = figure.interval?.map((end) => show(scale * end)).join(' to ') ?? '';
  return [show(value), Number.isFinite(se) ? `± ${show(se)}` : '', interval];
}

function occasionText({ text, chunks, contextSize, stride, base }: Occasion, tokens: number): string {
  const windows =
    stride > 0 ? `windows of ${contextSize} tokens, ${stride} apart` : `chunks of ${contextSize}`;
  const lines = [`text   ${text}: ${chunks} ${windows}, ${tokens} predictions scored`];
  if (base)
    lines.push(`base   ${base.file}${base.model === undefined ? '' : ` (${path.basename(base.model)})`}`);
  return lines.join('\n');
}

const FOOTNOTE =
  `± is the standard error: by formula, as if tokens were independent, or for percentiles from the bootstrap.\n` +
  `The interval holds ${100 * CONFIDENCE} % of 1000 bootstrap samples of whole chunks; below some 20 chunks it is rough.`;

function sizeText({ bytes, bitsPerWeight }: Measurement): string {
  return `${formatSize(bytes)}, ${bitsPerWeight.toFixed(2)} bits per weight`;
}

/** All figures of one model. */
export function measurementText(measured: Measurement, occasion: Occasion): string {
  const { figures, scores } = measured.summary;
  const rows = ROWS.flatMap((row): string[][] => {
    if (typeof row === 'string') return [[row, '', '', '']];
    const [label, name, unit] = row;
    const figure = figures.get(name);
    return figure ? [[`  ${label}`, ...cells(figure, unit)]] : [];
  });
  // A heading without figures under it, where there is no base.
  const shown = rows.filter(
    ([label, value], i) => value !== '' || (rows[i + 1]?.[0] ?? label).startsWith(' '),
  );
  const head = ['', 'value', 'error', `${100 * CONFIDENCE} % interval`];
  return [
    `model  ${measured.file} (${sizeText(measured)})`,
    occasionText(occasion, scores.nll.length),
    '',
    table([head, ...shown], [1, 2, 3]),
    '',
    FOOTNOTE,
    '',
  ].join('\n');
}

/** NaN, which JSON does not have, becomes null. */
function number(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Figures by name, with `_se` and `_ci` beside them. */
export function figuresJson(
  summary: Summary,
): Record<string, number | null | [number | null, number | null]> {
  return Object.fromEntries(
    [...summary.figures].flatMap(([name, { value, se, interval }]) => [
      [name, number(value)],
      [`${name}_se`, number(se)],
      [`${name}_ci`, interval ? [number(interval[0]), number(interval[1])] : null],
    ]),
  );
}

/** One flat object: figures by name, with `_se` and `_ci` (the bootstrap's interval) beside them. */
export function measurementJson(measured: Measurement, occasion: Occasion): Record<string, unknown> {
  const { summary, file, bytes, bitsPerWeight } = measured;
  const { backend, level, base, text, chunks, contextSize, stride } = occasion;
  return {
    model: file,
    bytes,
    bits_per_weight: bitsPerWeight,
    backend,
    level: level ?? null,
    text,
    chunks,
    tokens: summary.scores.nll.length,
    ctx_size: contextSize,
    stride,
    ...(base ? { base: base.file, base_model: base.model ?? null } : {}),
    ...figuresJson(summary),
  };
}

/** The figure that a table of models is about. */
function leading({ figures }: Summary): FigureName {
  return figures.has('kld_mean') ? 'kld_mean' : 'ppl';
}

/** Smaller files first; of equal ones by name. */
export function bySize(measurements: readonly Measurement[]): Measurement[] {
  return [...measurements].sort((a, b) => a.bytes - b.bytes || (a.file < b.file ? -1 : 1));
}

/** Whether a difference stands out of chance: 0 is outside of its interval. */
function isReal({ interval }: Figure): boolean | undefined {
  return interval && (interval[0] > 0 || interval[1] < 0);
}

function differenceCells(a: Summary, b: Summary | undefined): string[] {
  if (!b) return ['', ''];
  const figure = difference(leading(a), a, b);
  const real = isReal(figure);
  return [cells(figure, 'plain')[0], real === undefined ? '' : real ? 'yes' : 'no'];
}

const COLUMNS: readonly (readonly [string, FigureName, Unit])[] = [
  ['perplexity', 'ppl', 'ppl'],
  ['mean KL', 'kld_mean', 'plain'],
  ['KL 99 %', 'kld_p99', 'plain'],
  ['same top %', 'same_top', '%'],
];

/** Models by size, each with what its next larger neighbour is better by. */
export function comparisonText(measurements: readonly Measurement[], occasion: Occasion): string {
  const sorted = bySize(measurements);
  const [first] = sorted;
  const columns = COLUMNS.filter(([, name]) => first.summary.figures.has(name));
  const head = ['model', 'size', 'bits', ...columns.map(([label]) => label)];
  const what = leading(first.summary) === 'ppl' ? 'perplexity' : 'KL';
  const rows = sorted.map(({ file, bytes, bitsPerWeight, summary }, i) => [
    path.basename(file),
    formatSize(bytes),
    bitsPerWeight.toFixed(2),
    ...columns.map(([, name, unit]) => {
      const figure = summary.figures.get(name);
      return figure ? cells(figure, unit).slice(0, 2).join(' ') : '';
    }),
    ...differenceCells(summary, sorted[i + 1]?.summary),
  ]);
  const all = [[...head, `${what} to next`, 'real'], ...rows];
  return [
    occasionText(occasion, first.summary.scores.nll.length),
    '',
    table(all, head.map((_, i) => i + 1).concat(head.length + 1)),
    '',
    `to next: what the next larger file loses less, on the same tokens; real: 0 is outside of its ${100 * CONFIDENCE} % interval`,
    '(paired bootstrap over chunks; --json has it).',
    FOOTNOTE,
    '',
  ].join('\n');
}

/** Models by size; `next` is the paired difference to the next larger one. */
export function comparisonJson(measurements: readonly Measurement[], occasion: Occasion): unknown[] {
  const sorted = bySize(measurements);
  return sorted.map((measured, i) => {
    const other = sorted[i + 1];
    const names: FigureName[] = ['ppl', 'kld_mean', 'same_top'];
    const differences = names
      .filter((name) => other && measured.summary.figures.has(name))
      .map((name) => {
        const { value, se, interval } = difference(name, measured.summary, other.summary);
        const real = isReal({ value, se, interval }) ?? null;
        return [name, { value: number(value), se: number(se), ci: interval ?? null, real }];
      });
    const next = other ? { next: { model: other.file, ...Object.fromEntries(differences) } } : {};
    return { ...measurementJson(measured, occasion), ...next };
  });
}
