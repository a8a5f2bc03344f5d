/** Right answers of an exam against size, beside those of the original. */
import { lossOf, paretoFront } from './losses.ts';
import { grouped } from './numbers.ts';
import type { ThemeName, TopLevelSpec } from './picture.ts';
import { lines } from './picture-text.ts';
import type { ExamScore, QuantSet } from './quant-set.ts';
import type { Scatter } from './scatter.ts';
import { scatterSpec } from './scatter-spec.ts';

/** In per cent: the share of right answers with its binomial error. */
function shareOf({ right, total }: ExamScore): { value: number; low: number; high: number } {
  const share = right / total;
  const se = Math.sqrt((share * (1 - share)) / total);
  return { value: 100 * share, low: 100 * Math.max(0, share - se), high: 100 * Math.min(1, share + se) };
}

/** What is drawn; undefined where no quant sat the exam. */
export function examScatter({ quants, evaluation, model }: QuantSet): Scatter | undefined {
  const front = new Set(paretoFront(quants.flatMap((one) => lossOf(one) ?? [])).map(({ quant }) => quant));
  const points = quants
    .toSorted((a, b) => a.bytes - b.bytes)
    .flatMap((quant) => {
      const { type, bytes, exam } = quant;
      return exam && exam.total > 0
        ? { type, size: bytes, ...shareOf(exam), isMarked: front.has(quant) }
        : [];
    });
  if (points.length === 0) return undefined;
  const original = evaluation?.exam && evaluation.exam.total > 0 ? shareOf(evaluation.exam).value : undefined;
  const floor = Math.max(0, 10 * Math.floor(Math.min(...points.map(({ low }) => low - 4)) / 10));
  const highest = Math.max(...points.map(({ high }) => high), original ?? 0);
  const ceiling = Math.min(100, 10 * Math.ceil((highest + 4) / 10));
  const step = ceiling - floor > 50 ? 20 : 10;
  const ticks = Array.from({ length: 11 }, (_, i) => step * i).filter(
    (tick) => tick >= floor && tick <= ceiling,
  );
  const total = Math.max(...quants.map(({ exam }) => exam?.total ?? 0));
  return {
    title: 'Exam against size',
    subtitle: lines(
      `${model.name}: right answers to ${grouped(total)} questions, with one standard error.`,
      ...(front.size > 0 ? ['Filled: no other file is both smaller and closer to the original.'] : []),
    ),
    points,
    values: {
      title: 'right answers, %',
      type: 'linear',
      domain: [floor, ceiling + (ceiling - floor) / 20],
      ticks,
    },
    guides:
      original === undefined ? [] : [{ value: original, text: 'the original', isAbove: true, end: 'left' }],
    line: false,
    legend: 'bottom-right',
  };
}

export function examPlot(set: QuantSet, theme: ThemeName): TopLevelSpec | undefined {
  const scatter = examScatter(set);
  return scatter && scatterSpec(scatter, theme);
}
