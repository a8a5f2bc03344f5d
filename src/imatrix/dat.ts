/**
 * The older form of importance matrices, `.dat`: little endian, no magic.
 *
 *     i32 entries
 *     entries x { i32 length; u8 name[length]; i32 calls; i32 values; f32 value[values] }
 *     optional: i32 chunks; i32 length; u8 dataset[length]
 *
 * A value is the mean squared activation times `calls`. Files do not say how many tokens a call had; llama.cpp
 * takes its own setting, 512 by default, and so do we.
 */
import { type ByteSource, inputError } from '../core/index.ts';
import type { ImportanceEntry, ImportanceMatrix } from './types.ts';
import { meanImportance } from './types.ts';

const DEFAULT_CHUNK_SIZE = 512;
/** Longest tensor or data set name, in bytes. */
const MAX_NAME = 4096;
/** Fewest bytes of an entry: a name of one byte, one value. */
const LEAST_ENTRY = 17;

/** Numbers and texts one after the other; every length is checked before anything is made. */
class DatCursor {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #name: string;
  #at = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  fail(problem: string): Error {
    return inputError(`${this.#name}, byte ${this.#at}`, problem);
  }

  #take(bytes: number, what: string): number {
    if (bytes > this.remaining) throw this.fail(`${what} needs ${bytes} bytes, ${this.remaining} are left`);
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  /** An i32 from `least` to `most`. */
  count(what: string, least: number, most: number): number {
    const value = this.#view.getInt32(this.#take(4, what), true);
    if (value < least || value > most) {
      throw this.fail(
        `${what} is ${value}, allowed is ${least} to ${most}: no importance matrix, or a damaged one`,
      );
    }
    return value;
  }

  text(what: string, least: number): string {
    const length = this.count(`length of the ${what}`, least, Math.min(MAX_NAME, this.remaining));
    const at = this.#take(length, what);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.#bytes.subarray(at, at + length));
    } catch {
      throw this.fail(`the ${what} is not UTF-8`);
    }
  }

  floats(count: number, what: string): Float32Array {
    const at = this.#take(4 * count, what);
    return Float32Array.from({ length: count }, (_, i) => this.#view.getFloat32(at + 4 * i, true));
  }
}

/** Reads a `.dat` file. @throws input error: anything malformed. */
export async function readDat(source: ByteSource): Promise<ImportanceMatrix> {
  const bytes = Uint8Array.from(await source.read(0, source.size));
  const cursor = new DatCursor(bytes, source.name);
  const entries = new Map<string, ImportanceEntry>();
  const count = cursor.count('number of entries', 1, Math.floor(source.size / LEAST_ENTRY));
  for (let i = 0; i < count; i++) {
    const name = cursor.text('tensor name', 1);
    const calls = cursor.count(`number of calls of ${name}`, 0, 2 ** 31 - 1);
    const length = cursor.count(`number of values of ${name}`, 1, Math.floor(cursor.remaining / 4));
    const sums = cursor.floats(length, `values of ${name}`).map((value) => value * DEFAULT_CHUNK_SIZE);
    if (entries.has(name)) throw cursor.fail(`tensor ${name} is there twice`);
    entries.set(name, { sums, counts: Float32Array.of(calls * DEFAULT_CHUNK_SIZE) });
  }
  const chunkCount = cursor.remaining > 0 ? cursor.count('number of chunks', 0, 2 ** 31 - 1) : 0;
  const datasets = cursor.remaining > 0 ? [cursor.text('name of the data set', 0)] : [];
  if (cursor.remaining > 0) throw cursor.fail(`${cursor.remaining} more bytes follow the end`);
  return { name: source.name, form: 'dat', entries, datasets, chunkCount, chunkSize: DEFAULT_CHUNK_SIZE };
}

/** The bytes of a `.dat` file. What the form cannot hold, a count for each expert, is lost. */
export function writeDat(matrix: ImportanceMatrix): Uint8Array {
  const utf8 = new TextEncoder();
  const dataset = utf8.encode(matrix.datasets[0] ?? '');
  const names = [...matrix.entries.keys()].sort();
  const parts: Uint8Array[] = [];
  const number = (value: number) => parts.push(new Uint8Array(Int32Array.of(value).buffer));
  number(names.length);
  for (const name of names) {
    const entry = matrix.entries.get(name);
    if (!entry) continue;
    const text = utf8.encode(name);
    const calls = Math.ceil(Math.max(...entry.counts) / matrix.chunkSize);
    const means = meanImportance(entry);
    number(text.length);
    parts.push(text);
    number(calls);
    number(means.length);
    parts.push(new Uint8Array(means.map((mean) => mean * calls).buffer));
  }
  number(matrix.chunkCount);
  number(dataset.length);
  parts.push(dataset);
  return concatenate(parts);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
