/** Numbers between bounds, as patterns of their decimal digits. They are written without an exponent. */
import { characters, type Expression } from '../expression.ts';
import { machineGraph, patternMachine } from '../regular/index.ts';
import { MOST_DECIMALS, MOST_DIGITS } from './json.ts';

export interface Bound {
  readonly value: number;
  readonly exclusive: boolean;
}

export interface NumberRange {
  readonly integer: boolean;
  readonly minimum?: Bound | undefined;
  readonly maximum?: Bound | undefined;
}

/** The digits before and behind the point of a number without its sign, no zero too many. */
interface Decimal {
  readonly whole: string;
  readonly decimals: string;
}

const NONE = '[]';
const DECIMALS = '(?:\\.\\d+)?';
const ANY_SIZE = `(?:0|[1-9]\\d*)${DECIMALS}`;
/** Digits that a double holds, whatever they are. */
const EXACT_DIGITS = 15;

const either = (...patterns: string[]): string => `(?:${patterns.join('|')})`;

function decimalOf(value: number): Decimal {
  const [digits, exponent = '0'] = String(Math.abs(value)).split('e');
  const [whole, decimals = ''] = digits.split('.');
  const shift = Number(exponent);
  const all = whole + decimals;
  const point = whole.length + shift;
  const padded = point <= 0 ? '0'.repeat(1 - point) + all : all.padEnd(point, '0');
  const at = Math.max(1, point);
  return {
    whole: padded.slice(0, at).replace(/^0+(?=\d)/, ''),
    decimals: padded.slice(at).replace(/0+$/, ''),
  };
}

/** Digits from `first` to `last`; nothing where there are none. */
const digits = (first: number, last: number): string => (first > last ? NONE : `[${first}-${last}]`);

/** Whole numbers above this one. */
function wholeAbove(whole: string): string {
  const same = Array.from(
    whole,
    (digit, i) => `${whole.slice(0, i)}${digits(Number(digit) + 1, 9)}\\d{${whole.length - i - 1}}`,
  );
  return either(`[1-9]\\d{${whole.length},}`, ...same);
}

function wholeBelow(whole: string): string {
  const { length } = whole;
  const same = Array.from(whole, (digit, i) => {
    const least = i === 0 && length > 1 ? 1 : 0;
    return `${whole.slice(0, i)}${digits(least, Number(digit) - 1)}\\d{${length - i - 1}}`;
  });
  return either(...(length > 1 ? ['0', `[1-9]\\d{0,${length - 2}}`] : []), ...same);
}

/** Decimals (with their point) of at least, or above, these. */
function decimalsAbove(decimals: string, exclusive: boolean): string {
  if (decimals === '') return exclusive ? '\\.0*[1-9]\\d*' : DECIMALS;
  const larger = Array.from(
    decimals,
    (digit, i) => `${decimals.slice(0, i)}${digits(Number(digit) + 1, 9)}\\d*`,
  );
  return `\\.${either(...larger, `${decimals}${exclusive ? '0*[1-9]\\d*' : '\\d*'}`)}`;
}

function decimalsBelow(decimals: string, exclusive: boolean): string {
  if (decimals === '') return exclusive ? NONE : '(?:\\.0+)?';
  const smaller = Array.from(
    decimals,
    (digit, i) => `${decimals.slice(0, i)}${digits(0, Number(digit) - 1)}\\d*`,
  );
  const shorter = Array.from(decimals.slice(1), (_, i) => decimals.slice(0, i + 1));
  return `(?:\\.${either(...smaller, ...shorter, exclusive ? NONE : `${decimals}0*`)})?`;
}

/** Sizes (numbers without a sign) of at least, or above, this one. */
const sizeAbove = ({ whole, decimals }: Decimal, exclusive: boolean): string =>
  either(`${wholeAbove(whole)}${DECIMALS}`, `${whole}${decimalsAbove(decimals, exclusive)}`);

const sizeBelow = ({ whole, decimals }: Decimal, exclusive: boolean): string =>
  either(`${wholeBelow(whole)}${DECIMALS}`, `${whole}${decimalsBelow(decimals, exclusive)}`);

function atLeast({ value, exclusive }: Bound): string {
  const decimal = decimalOf(value);
  if (value >= 0) return sizeAbove(decimal, exclusive);
  return either(ANY_SIZE, `-${sizeBelow(decimal, exclusive)}`);
}

function atMost({ value, exclusive }: Bound): string {
  const decimal = decimalOf(value);
  if (value < 0 || (value === 0 && exclusive)) return `-${sizeAbove(decimal, exclusive)}`;
  return either(`-${ANY_SIZE}`, sizeBelow(decimal, exclusive));
}

/** Decimals are so few that a number beside an exclusive bound is not rounded onto it when it is read. */
function mostDecimals(bounds: readonly Bound[]): number {
  const sizes = bounds.filter(({ exclusive }) => exclusive).map(({ value }) => decimalOf(value).whole.length);
  return Math.max(1, Math.min(MOST_DECIMALS, ...sizes.map((size) => EXACT_DIGITS - size)));
}

/** @throws PatternProblem: bounds of too many digits. */
export function numberBetween({ integer, minimum, maximum }: NumberRange): Expression {
  const bounds = [minimum, maximum].filter((bound) => bound !== undefined);
  const decimals = integer ? '' : `(?:\\.\\d{1,${mostDecimals(bounds)}})?`;
  const patterns = [
    `-?(?:0|[1-9]\\d{0,${MOST_DIGITS - 1}})${decimals}`,
    ...(minimum ? [atLeast(minimum)] : []),
    ...(maximum ? [atMost(maximum)] : []),
  ];
  return machineGraph(
    patterns.map((pattern) => patternMachine(pattern, true)),
    characters,
  );
}
