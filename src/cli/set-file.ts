/** `bitmill.json` of a folder, read and checked. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { inputError } from '../core/index.ts';
import { fileError } from '../platform/index.ts';
import { QUANT_SET, type QuantSet, SET_FILE } from '../report/index.ts';

/** Largest file that is read, in bytes: errors of each tensor in 27 files of a large model are some 10 MB. */
const MAX_SIZE = 2 ** 28;

/** `quants[3].files[0].bytes`. */
function placeOf(keys: readonly PropertyKey[]): string {
  return keys
    .map((key) => {
      if (typeof key === 'number') return `[${key}]`;
      return /^[A-Za-z_]\w*$/.test(String(key)) ? `.${String(key)}` : `[${JSON.stringify(String(key))}]`;
    })
    .join('')
    .replace(/^\./, '');
}

/** What stands at that place, shortened. */
function foundAt(value: unknown, keys: readonly PropertyKey[]): string {
  let at: unknown = value;
  for (const key of keys) {
    at =
      typeof at === 'object' && at !== null && Object.hasOwn(at, key)
        ? (at as Record<PropertyKey, unknown>)[key]
        : undefined;
  }
  const text = JSON.stringify(at);
  if (text === undefined) return 'found nothing';
  return `found ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`;
}

/** What is allowed there, as zod has it. */
function allowed(issue: z.core.$ZodIssue): string {
  return issue.message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
}

/** @throws input error: missing, no JSON, or not what such a file says; it names the first place. */
export function parseSet(text: string, file: string): QuantSet {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw inputError(file, `is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const result = QUANT_SET.safeParse(value);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  const place = placeOf(first.path);
  throw inputError(
    place === '' ? file : `${file}: ${place}`,
    `${allowed(first)}; ${foundAt(value, first.path)}`,
    'bitmill make writes this file; it is not meant to be edited',
  );
}

/** @param folder of a set. @throws input error as `parseSet`, and where there is no such file. */
export async function readSet(folder: string): Promise<QuantSet> {
  const file = path.join(folder, SET_FILE);
  let text: string;
  try {
    const { size } = await stat(file);
    if (size > MAX_SIZE) throw inputError(file, `has ${size} bytes; at most ${MAX_SIZE} are read`);
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw error instanceof Error && 'code' in error ? fileError(file, error) : error;
  }
  return parseSet(text, file);
}
