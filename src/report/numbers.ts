/** Figures of a set as text: only the digits that their errors leave. */
import { formatSize } from '../core/index.ts';
import type { QuantEntry } from './quant-set.ts';

export { formatSize };

/** Digits where the error is not known. */
const DIGITS = 5;

/** The figures of a quant or of the original. */
export type Figures = NonNullable<QuantEntry['figures']>;

/** A figure by its name; undefined where it was not measured or is no number. */
export function figure(figures: Figures | undefined, name: string): number | undefined {
  const value = figures && Object.hasOwn(figures, name) ? figures[name] : undefined;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function decimalsFor(least: number, digits: number): number {
  return least > 0 ? Math.min(12, Math.max(0, digits - 1 - Math.floor(Math.log10(least)))) : digits;
}

/** Values below this are written with an exponent. */
const SMALL = 1e-4;

/** `0.01686 ± 0.00006`, `2.99e-5 ± 0.15e-5`. @param digits of the error; without: two, one where it begins with a large one. */
export function withError(value: number | undefined, se: number | undefined, digits?: number): string {
  if (value === undefined) return '';
  if (value > 0 && value < SMALL) {
    const exponent = Math.floor(Math.log10(value));
    const text = withError(value / 10 ** exponent, se === undefined ? se : se / 10 ** exponent, digits);
    return text.replace(/[\d.]+/g, (number) => `${number}e${exponent}`);
  }
  const known = se !== undefined && se > 0;
  if (value === 0 && !known) return '0';
  const own = known && Number(se.toExponential(1)[0]) >= 3 ? 1 : 2;
  const decimals = known ? decimalsFor(se, digits ?? own) : decimalsFor(Math.abs(value), DIGITS);
  return known ? `${value.toFixed(decimals)} ± ${se.toFixed(decimals)}` : value.toFixed(decimals);
}

/** Three digits. */
export function short(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) < SMALL) return value.toExponential(2);
  return value.toFixed(decimalsFor(Math.abs(value), 3));
}

/** `97.3 %`; more digits near 100 %, where they are the difference. */
export function percent(share: number): string {
  const value = 100 * share;
  return `${value.toFixed(value > 99 && value < 100 ? 2 : 1)} %`;
}

/** `3.82 B`, `9.5 M`: parameters as people say them. */
export function formatCount(count: number): string {
  const units = [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const;
  const unit = units.find(([size]) => count >= size);
  return unit ? `${Number((count / unit[0]).toPrecision(3))} ${unit[1]}` : String(count);
}

/** `32,064`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}
