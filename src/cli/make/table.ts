/** The table at the end of `make`: what each file costs in size and in loss. */
import type { ExamScore, QuantEntry, QuantSet } from '../../report/index.ts';
import { formatSize, table } from '../terminal.ts';

type Figures = QuantEntry['figures'];

interface Row {
  readonly type: string;
  readonly bytes: number;
  readonly bitsPerWeight: number;
  readonly figures: Figures;
  readonly exam: ExamScore | undefined;
}

function value(figures: Figures, name: string): number | undefined {
  const found = figures?.[name];
  return typeof found === 'number' ? found : undefined;
}

/** `12.34 ± 0.05`; with `error`, the digits that it leaves. */
function estimate(figures: Figures, name: string, digits: number): string {
  const [number, error] = [value(figures, name), value(figures, `${name}_se`)];
  if (number === undefined) return '';
  return error === undefined
    ? number.toFixed(digits)
    : `${number.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

/** Decimals that show the smallest error of a column with two digits. */
function decimals(rows: readonly Row[], name: string): number {
  const errors = rows.flatMap(({ figures }) => value(figures, `${name}_se`) ?? []).filter((one) => one > 0);
  return errors.length === 0 ? 4 : Math.min(8, Math.max(2, 1 - Math.floor(Math.log10(Math.min(...errors)))));
}

function percent(number: number | undefined): string {
  return number === undefined ? '' : (100 * number).toFixed(2);
}

/** A column: its head, and the cell of a row. */
type Column = readonly [head: string, cell: (row: Row) => string];

function columnsOf(rows: readonly Row[]): readonly Column[] {
  const digits = Object.fromEntries(
    ['ppl', 'kld_mean', 'kld_p999'].map((name) => [name, decimals(rows, name)]),
  );
  return [
    ['type', ({ type }) => type],
    ['size', ({ bytes }) => formatSize(bytes)],
    ['bits/weight', ({ bitsPerWeight }) => bitsPerWeight.toFixed(3)],
    ['perplexity', ({ figures }) => estimate(figures, 'ppl', digits['ppl'])],
    ['mean KL', ({ figures }) => estimate(figures, 'kld_mean', digits['kld_mean'])],
    ['KL 99.9 %', ({ figures }) => value(figures, 'kld_p999')?.toPrecision(3) ?? ''],
    ['same top %', ({ figures }) => percent(value(figures, 'same_top'))],
    ['exam %', ({ exam }) => (exam ? ((100 * exam.right) / exam.total).toFixed(1) : '')],
  ];
}

/** Quants as the set has them, smallest first, and the original; columns that no row fills are left out. */
export function setTable({ quants, model, evaluation }: QuantSet): string {
  const rows: Row[] = [
    ...quants.map((quant) => ({ ...quant, figures: quant.figures, exam: quant.exam })),
    { ...model, type: model.dtype.toUpperCase(), figures: evaluation?.figures, exam: evaluation?.exam },
  ];
  const filled = columnsOf(rows).filter(([, cell]) => rows.some((row) => cell(row) !== ''));
  const cells = [filled.map(([head]) => head), ...rows.map((row) => filled.map(([, cell]) => cell(row)))];
  return table(
    cells,
    filled.map((_, i) => i).filter((i) => i > 0),
  );
}
