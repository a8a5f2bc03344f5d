/** What can be set of an answer, a line each; the panel is made of it. */
import type { Parameters } from '../provider.ts';

export interface NumberRule {
  readonly label: string;
  readonly hint: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

export type NumberName = Exclude<keyof Parameters, 'stop'>;

export const NUMBERS = {
  temperature: {
    label: 'Temperature',
    hint: '0 always takes the likeliest token; higher is freer',
    min: 0,
    max: 2,
    step: 0.05,
  },
  top_p: {
    label: 'Top p',
    hint: 'Draws among the likeliest that together have this probability',
    min: 0,
    max: 1,
    step: 0.01,
  },
  top_k: {
    label: 'Top k',
    hint: 'Draws among so many of the likeliest; 0 is no limit',
    min: 0,
    max: 1000,
    step: 1,
  },
  min_p: {
    label: 'Min p',
    hint: 'Drops what is less likely than this share of the likeliest',
    min: 0,
    max: 1,
    step: 0.01,
  },
  repetition_penalty: {
    label: 'Repetition penalty',
    hint: 'Above 1 makes tokens that were there less likely',
    min: 0.5,
    max: 2,
    step: 0.05,
  },
  presence_penalty: {
    label: 'Presence penalty',
    hint: 'Subtracted once from tokens that were there',
    min: -2,
    max: 2,
    step: 0.1,
  },
  frequency_penalty: {
    label: 'Frequency penalty',
    hint: 'Subtracted as often as a token was there',
    min: -2,
    max: 2,
    step: 0.1,
  },
  max_tokens: {
    label: 'Longest answer',
    hint: 'Tokens at most; empty leaves it to the server',
    min: 1,
    max: 1_000_000,
    step: 1,
  },
  seed: {
    label: 'Seed',
    hint: 'The same number gives the same answer',
    min: 0,
    max: 4_294_967_295,
    step: 1,
  },
} as const satisfies Record<NumberName, NumberRule>;

/** OpenAI takes four at most. */
export const MOST_STOPS = 4;

/**
 * What was typed as a value.
 * @returns undefined: it is left to the server; a sentence: why it cannot be.
 */
export function readNumber(
  name: NumberName,
  typed: string,
): number | undefined | { readonly problem: string } {
  const { label, min, max, step } = NUMBERS[name];
  if (typed.trim() === '') return undefined;
  const value = Number(typed.replace(',', '.'));
  if (!Number.isFinite(value)) return { problem: `${label} is a number.` };
  if (value < min || value > max) return { problem: `${label} lies between ${min} and ${max}.` };
  if (Number.isInteger(step) && !Number.isInteger(value)) return { problem: `${label} is a whole number.` };
  return value;
}

/** With one more, or without it where the value is undefined. */
export function withParameter<N extends keyof Parameters>(
  parameters: Parameters,
  name: N,
  value: Parameters[N] | undefined,
): Parameters {
  const { [name]: _old, ...rest } = parameters;
  return value === undefined ? (rest as Parameters) : { ...rest, [name]: value };
}

/** One a line; `\n` and `\t` are written so. Empty lines are none. */
export function readStops(typed: string): readonly string[] | undefined {
  const stops = typed
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, MOST_STOPS)
    .map((line) => line.replaceAll('\\n', '\n').replaceAll('\\t', '\t'));
  return stops.length > 0 ? stops : undefined;
}

export const showStops = (stops: readonly string[] = []): string =>
  stops.map((stop) => stop.replaceAll('\n', '\\n').replaceAll('\t', '\\t')).join('\n');
