/** All that is to be said of two answers side by side, from the answers alone. */
import { type Agreement, agreement, align, type Segment } from './diff.ts';
import { isRunning, type Pair, type Side } from './run.ts';
import { cutAlike, tokenUnits, type Unit, wordUnits } from './units.ts';

export type UnitKind = 'token' | 'word';

export interface Comparison {
  /** Words where the models cut text into tokens in two ways. */
  readonly kind: UnitKind;
  readonly units: Pair<readonly Unit[]>;
  readonly segments: readonly Segment[];
  readonly agreement: Agreement;
}

export function compare([a, b]: Pair<Side>): Comparison {
  const kind: UnitKind = cutAlike(a.tokens, b.tokens) ? 'token' : 'word';
  const unitsOf = kind === 'token' ? tokenUnits : wordUnits;
  const units = [unitsOf(a.tokens), unitsOf(b.tokens)] as const;
  const texts = units.map((list) => list.map(({ text }) => text));
  const segments = align(texts[0], texts[1], { a: isRunning(a), b: isRunning(b) });
  return { kind, units, segments, agreement: agreement(segments) };
}

/** Which unit of the other answer stands beside one, where they are equal. */
export function counterpart(segments: readonly Segment[], side: 0 | 1, index: number): number | undefined {
  for (const { kind, a, b } of segments) {
    const [own, other] = side === 0 ? [a, b] : [b, a];
    if (index >= own.from && index < own.to) {
      return kind === 'equal' ? other.from + index - own.from : undefined;
    }
  }
  return undefined;
}

/** Probability in per cent as people say it: `99.9 %`, `64 %`, `under 0.1 %`. */
export function percent(logprob: number): string {
  const value = 100 * Math.exp(logprob);
  if (value < 0.1) return 'under 0.1 %';
  return `${value < 10 || (value > 99 && value < 99.95) ? value.toFixed(1) : Math.round(value)} %`;
}

/** A token as it can be seen: white space and control characters have signs. */
export function visible(text: string): string {
  const signs: Readonly<Record<string, string>> = { '\n': '↵', '\r': '␍', '\t': '⇥', ' ': '␣' };
  if (text === '') return '∅';
  if (text.trim() === '') return [...text].map((one) => signs[one] ?? one).join('');
  return text.replace(/[\n\r\t]/g, (one) => signs[one] ?? one).replace(/^ | $/g, '␣');
}
