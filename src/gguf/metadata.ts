/**
 * Typed access to metadata. `get…` return undefined where the key is absent and throw an input error that
 * names file, key and type where the value is of another type; `need…` throw where the key is absent, too.
 * The constructors beside them make values to be written.
 */
import { type BitmillError, inputError } from '../core/index.ts';
import { quoted } from './text.ts';
import type { GgufArray, GgufFile, GgufScalar, Metadata, Scalar, ScalarType } from './types.ts';

type Convert<T> = (value: Scalar) => T | undefined;

function toNumber(value: Scalar): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'bigint') return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

const toText: Convert<string> = (value) => (typeof value === 'string' ? value : undefined);
const toBoolean: Convert<boolean> = (value) => (typeof value === 'boolean' ? value : undefined);

function wrongType(place: string, key: string, found: string, wanted: string): BitmillError {
  return inputError(`${place}: metadata key ${quoted(key)}`, `is ${found}, not ${wanted}`);
}

function getScalar<T>(
  metadata: Metadata,
  key: string,
  place: string,
  wanted: string,
  convert: Convert<T>,
): T | undefined {
  const entry = metadata.get(key);
  if (entry === undefined) return undefined;
  if (entry.type === 'array') throw wrongType(place, key, `an array of ${entry.of}`, wanted);
  const value = convert(entry.value);
  if (value === undefined)
    throw wrongType(place, key, `a ${entry.type} (${quoted(String(entry.value))})`, wanted);
  return value;
}

function getArray<T>(
  metadata: Metadata,
  key: string,
  place: string,
  wanted: string,
  convert: Convert<T>,
): T[] | undefined {
  const entry = metadata.get(key);
  if (entry === undefined) return undefined;
  if (entry.type !== 'array') throw wrongType(place, key, `a ${entry.type}`, wanted);
  return (entry.value as readonly (Scalar | GgufArray)[]).map((item) => {
    const value = typeof item === 'object' ? undefined : convert(item);
    if (value === undefined) throw wrongType(place, key, `an array of ${entry.of}`, wanted);
    return value;
  });
}

/** A string. @param place the file, for messages; likewise below. */
export function getString(metadata: Metadata, key: string, place: string): string | undefined {
  return getScalar(metadata, key, place, 'a string', toText);
}

/** Any integer or float type; 64-bit integers must be within 2^53. */
export function getNumber(metadata: Metadata, key: string, place: string): number | undefined {
  return getScalar(metadata, key, place, 'a number', toNumber);
}

/** A bool. */
export function getBoolean(metadata: Metadata, key: string, place: string): boolean | undefined {
  return getScalar(metadata, key, place, 'a bool', toBoolean);
}

/** An array of strings. */
export function getStrings(metadata: Metadata, key: string, place: string): string[] | undefined {
  return getArray(metadata, key, place, 'an array of strings', toText);
}

/** An array of any integer or float type. */
export function getNumbers(metadata: Metadata, key: string, place: string): number[] | undefined {
  return getArray(metadata, key, place, 'an array of numbers', toNumber);
}

function needed<T>(value: T | undefined, key: string, place: string): T {
  if (value === undefined) throw inputError(place, `metadata key ${quoted(key)} is missing`);
  return value;
}

/** A string that must be there. */
export function needString(metadata: Metadata, key: string, place: string): string {
  return needed(getString(metadata, key, place), key, place);
}

/** A number that must be there; as `getNumber`. */
export function needNumber(metadata: Metadata, key: string, place: string): number {
  return needed(getNumber(metadata, key, place), key, place);
}

/** An array of strings that must be there. */
export function needStrings(metadata: Metadata, key: string, place: string): string[] {
  return needed(getStrings(metadata, key, place), key, place);
}

/** An array of numbers that must be there. */
export function needNumbers(metadata: Metadata, key: string, place: string): number[] {
  return needed(getNumbers(metadata, key, place), key, place);
}

function scalar<T extends Scalar>(type: ScalarType): (value: T) => GgufScalar {
  return (value) => ({ type, value });
}

function array<T extends Scalar>(of: ScalarType): (value: Iterable<T>) => GgufArray {
  return (value) => ({ type: 'array', of, value: [...value] });
}

/** Values to be written, by the type's name in GGUF; the plural makes an array. Ranges are checked on writing. */
export const u8 = scalar<number>('u8');
export const i8 = scalar<number>('i8');
export const u16 = scalar<number>('u16');
export const i16 = scalar<number>('i16');
export const u32 = scalar<number>('u32');
export const i32 = scalar<number>('i32');
export const f32 = scalar<number>('f32');
export const f64 = scalar<number>('f64');
export const u64 = scalar<bigint>('u64');
export const i64 = scalar<bigint>('i64');
export const bool = scalar<boolean>('bool');
export const str = scalar<string>('string');
export const u32s = array<number>('u32');
export const i32s = array<number>('i32');
export const f32s = array<number>('f32');
export const bools = array<boolean>('bool');
export const strings = array<string>('string');

/**
 * Positions that a model was trained for, as far as its file says so; whether it says it well is checked when it is run.
 * Undefined where it says nothing.
 */
export function trainedContext({ metadata, name }: GgufFile): number | undefined {
  const architecture = getString(metadata, 'general.architecture', name);
  return getNumber(metadata, `${architecture}.context_length`, name);
}
