/** Loss against size: every file of a set by its bytes and its divergence, with the front that no other file beats. */
import { GRADES, largestKld, lossOf, paretoFront } from './losses.ts';
import type { ThemeName, TopLevelSpec } from './picture.ts';
import { lines } from './picture-text.ts';
import type { QuantSet } from './quant-set.ts';
import { logDomain, logTicks } from './scales.ts';
import type { Guide, Scatter } from './scatter.ts';
import { scatterSpec } from './scatter-spec.ts';

/** Limits of the words for losses, where they lie in the picture. */
function guidesOf([low, high]: readonly [number, number]): Guide[] {
  return GRADES.flatMap((grade) => {
    const value = largestKld(grade);
    return value > low && value < high ? { value, text: grade.name, isAbove: false, end: 'right' } : [];
  });
}

/** What is drawn; undefined where no losses were measured, or none that a log scale could show. */
export function lossScatter(set: QuantSet): Scatter | undefined {
  const losses = set.quants.flatMap((quant) => lossOf(quant) ?? []).filter(({ kld }) => kld > 0);
  if (losses.length === 0) return undefined;
  const front = new Set(paretoFront(losses));
  const points = losses
    .toSorted((a, b) => a.quant.bytes - b.quant.bytes)
    .map((loss) => {
      const { kld, se = 0, quant } = loss;
      const low = kld - se > 0 ? kld - se : kld;
      return {
        type: quant.type,
        size: quant.bytes,
        value: kld,
        low,
        high: kld + se,
        isMarked: front.has(loss),
      };
    });
  const domain = logDomain(
    points.flatMap(({ low, high }) => [low, high]),
    0.06,
  );
  return {
    title: 'Loss against size',
    subtitle: lines(
      `${set.model.name}: divergence from the original, with one standard error.`,
      'Filled, on the line: no other file is both smaller and closer to the original.',
    ),
    points,
    values: {
      title: 'mean KL divergence, nats a token (logarithmic)',
      type: 'log',
      domain,
      ticks: logTicks(domain, 12),
    },
    guides: guidesOf(domain),
    line: true,
    legend: 'bottom-left',
  };
}

export function lossPlot(set: QuantSet, theme: ThemeName): TopLevelSpec | undefined {
  const scatter = lossScatter(set);
  return scatter && scatterSpec(scatter, theme);
}
