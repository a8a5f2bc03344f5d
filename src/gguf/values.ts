/** Metadata values out of a header. */
import type { HeaderCursor } from './cursor.ts';
import { ALIGNMENT_KEY, alignmentProblem, DEFAULT_ALIGNMENT, MAX_KEY_BYTES } from './limits.ts';
import { FIXED, type FixedType, leastBytes, valueTypeById } from './scalars.ts';
import { quoted } from './text.ts';
import type { GgufArray, GgufValue, Metadata, Scalar, ScalarType, ValueType } from './types.ts';

/** Fewest bytes of a pair: key length, key, type, value. */
export const LEAST_PAIR_BYTES = 14;

function readType(cursor: HeaderCursor, what: string): ValueType {
  const id = cursor.u32();
  const type = valueTypeById(id);
  if (type === undefined) throw cursor.fail(`${what} ${id} is unknown; known are 0 to 12`);
  return type;
}

function readFixed(cursor: HeaderCursor, type: FixedType): Scalar {
  const { width, read } = FIXED[type];
  const value = cursor.fixed(width, read);
  if (value === undefined) throw cursor.fail(`the ${type} is neither 0 nor 1`);
  return value;
}

function readScalar(cursor: HeaderCursor, type: ScalarType): Scalar {
  return type === 'string' ? cursor.string('string', cursor.limits.stringBytes) : readFixed(cursor, type);
}

function readArray(cursor: HeaderCursor, longest: number, depth: number): GgufArray {
  if (depth > cursor.limits.nesting) {
    throw cursor.fail(`arrays are nested more than ${cursor.limits.nesting} levels deep`);
  }
  const of = readType(cursor, 'array element type');
  const count = cursor.countOf('array length', leastBytes(of), longest);
  if (of === 'array') {
    const value: GgufArray[] = [];
    for (let i = 0; i < count; i++) value.push(readArray(cursor, longest, depth + 1));
    return { type: 'array', of, value };
  }
  const value: Scalar[] = [];
  for (let i = 0; i < count; i++) value.push(readScalar(cursor, of));
  return { type: 'array', of, value };
}

function readPair(cursor: HeaderCursor, index: number): [string, GgufValue] {
  cursor.place = `metadata pair ${index}`;
  const key = cursor.string('key', MAX_KEY_BYTES);
  if (key === '') throw cursor.fail('the key is empty');
  cursor.place = `metadata key ${quoted(key)}`;
  const type = readType(cursor, 'value type');
  if (type !== 'array') return [key, { type, value: readScalar(cursor, type) }];
  const { arrayLength, tokenArrayLength } = cursor.limits;
  return [key, readArray(cursor, key.startsWith('tokenizer.') ? tokenArrayLength : arrayLength, 1)];
}

/** `count` pairs in file order. @throws input error: malformed, or a key twice. */
export async function readMetadata(cursor: HeaderCursor, count: number): Promise<Metadata> {
  const metadata: Metadata = new Map();
  for (let i = 0; i < count; i++) {
    const [key, value] = await cursor.record(() => readPair(cursor, i));
    if (metadata.has(key)) throw cursor.fail('the key is there twice');
    metadata.set(key, value);
  }
  return metadata;
}

/** Alignment of the tensor data, from the metadata. */
export function readAlignment(cursor: HeaderCursor, metadata: Metadata): number {
  const entry = metadata.get(ALIGNMENT_KEY);
  if (entry === undefined) return DEFAULT_ALIGNMENT;
  cursor.place = `metadata key ${quoted(ALIGNMENT_KEY)}`;
  if (entry.type !== 'u32' || typeof entry.value !== 'number') {
    throw cursor.fail(`is of type ${entry.type}, not u32`);
  }
  const problem = alignmentProblem(entry.value, cursor.limits.alignment);
  if (problem !== undefined) throw cursor.fail(problem);
  return entry.value;
}
