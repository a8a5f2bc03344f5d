/**
 * JSON from outside. `JSON.parse` alone is not enough for hostile files: it builds objects whose names may
 * shadow `Object.prototype`, keeps the last of two equal names in silence and nests without limit.
 */
import { inputError } from '../core/index.ts';

/** Largest JSON text in bytes: a tokenizer.json of 250 k tokens has about 35 MB. */
export const MAX_JSON_BYTES = 100_000_000;

/** Deepest nesting; tokenizer.json files stay below 12. */
const MAX_JSON_DEPTH = 64;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** Deepest nesting and number of `name: value` members of a JSON text, without parsing it. */
function measure(text: string): { depth: number; members: number } {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      for (i++; i < text.length && text.charCodeAt(i) !== QUOTE; i++) {
        if (text.charCodeAt(i) === BACKSLASH) i++;
      }
    } else if (code === COLON) members++;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return { depth: deepest, members };
}

/** Takes the prototype off every object below `root`; returns how many members they have together. */
function stripPrototypes(root: unknown): number {
  let members = 0;
  const waiting: unknown[] = [root];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    const children = Array.isArray(value) ? value : Object.values(value);
    if (!Array.isArray(value)) {
      members += children.length;
      Object.setPrototypeOf(value, null);
    }
    for (const child of children) if (typeof child === 'object') waiting.push(child);
  }
  return members;
}

/** UTF-8 bytes as text. @throws input error where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, place: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw inputError(place, 'is not UTF-8 text');
  }
}

/**
 * Parses JSON into plain data on null prototypes.
 * @param options.uniqueNames refuse objects in which a name stands twice.
 * @throws input error: too large, too deep, not JSON, not UTF-8, a name twice.
 */
export function parseJson(
  bytes: Uint8Array,
  place: string,
  options: { uniqueNames?: boolean } = {},
): unknown {
  if (bytes.length > MAX_JSON_BYTES) {
    throw inputError(place, `is ${bytes.length} bytes of JSON; at most ${MAX_JSON_BYTES} are read`);
  }
  const text = decodeUtf8(bytes, place);
  const { depth, members } = measure(text);
  if (depth > MAX_JSON_DEPTH) {
    throw inputError(place, `nests ${depth} levels deep; at most ${MAX_JSON_DEPTH} are read`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw inputError(
      place,
      `is not JSON: ${printable(error instanceof Error ? error.message : String(error))}`,
    );
  }
  if (stripPrototypes(value) !== members && options.uniqueNames) {
    throw inputError(place, 'has a name twice in one object');
  }
  return value;
}

/** @throws input error unless `value` is a JSON object. */
export function asRecord(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw inputError(place, `is not a JSON object but ${describe(value)}`);
  }
  return value as Record<string, unknown>;
}

/** A JSON value for a message: short, on one line. */
export function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return printable(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** Text from a file without what would move a terminal's cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
