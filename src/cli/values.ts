/** Metadata values as text for a terminal and as JSON. */
import { type GgufArray, type GgufValue, quoted, type Scalar } from '../gguf/index.ts';

/** Elements of an array shown before the rest is only counted. */
const SHOWN = 8;

function scalarText(value: Scalar, longest: number): string {
  return typeof value === 'string' ? quoted(value, longest) : String(value);
}

function arrayText({ of, value }: GgufArray, shown: number): string {
  const items = value
    .slice(0, shown)
    .map((item) => (typeof item === 'object' ? arrayText(item, shown) : scalarText(item, 40)));
  const rest = value.length > shown ? `, … ${value.length} in all` : '';
  return `${of}[${items.join(', ')}${rest}]`;
}

/** One line for a terminal, without control characters. @param full without shortening. */
export function valueText(value: GgufValue, full = false): string {
  if (value.type === 'array') return arrayText(value, full ? value.value.length : SHOWN);
  return scalarText(value.value, full ? Number.POSITIVE_INFINITY : 100);
}

/** What JSON cannot hold, as text: large integers, NaN, infinities. */
export function scalarJson(value: Scalar): Scalar {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

export interface JsonValue {
  readonly type: string;
  readonly value: unknown;
  /** Elements in the file, where `value` holds fewer. */
  readonly length?: number;
}

/** @param full arrays without shortening. */
export function valueJson(value: GgufValue, full = false): JsonValue {
  if (value.type !== 'array') return { type: value.type, value: scalarJson(value.value) };
  const shown = full ? value.value : value.value.slice(0, SHOWN);
  return {
    type: `array of ${value.of}`,
    value: shown.map((item) => (typeof item === 'object' ? valueJson(item, full) : scalarJson(item))),
    ...(shown.length < value.value.length ? { length: value.value.length } : {}),
  };
}
