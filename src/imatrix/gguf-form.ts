/**
 * The current form of importance matrices: a GGUF of type `imatrix` with two F32 tensors a weight,
 * `<name>.in_sum2` `[C, X]` and `<name>.counts` `[1, X]`, and three keys. Other tensors are left alone.
 */
import { type ByteSource, inputError } from '../core/index.ts';
import {
  type GgufFile,
  type GgufTensor,
  type GgufValue,
  getNumber,
  getString,
  getStrings,
  layoutGguf,
  type Metadata,
  readGguf,
  str,
  strings,
  type TensorSpec,
  u32,
} from '../gguf/index.ts';
import { decode, FORMATS } from '../quants/index.ts';
import type { ImportanceEntry, ImportanceMatrix } from './types.ts';

const KEYS = {
  datasets: 'imatrix.datasets',
  chunkCount: 'imatrix.chunk_count',
  chunkSize: 'imatrix.chunk_size',
} as const;
const SUMS = '.in_sum2';
const COUNTS = '.counts';

async function readFloats(file: GgufFile, tensor: GgufTensor): Promise<Float32Array> {
  if (tensor.format !== FORMATS.F32) {
    throw inputError(file.name, `tensor ${tensor.name} is ${tensor.format.name}, not F32`);
  }
  return decode(tensor.format, await file.read(tensor), tensor.weights);
}

async function readEntry(file: GgufFile, name: string): Promise<ImportanceEntry> {
  const sums = file.find(name + SUMS);
  const counts = file.find(name + COUNTS);
  if (!sums || !counts) {
    throw inputError(file.name, `tensor ${name} has no ${sums ? 'counts (.counts)' : 'sums (.in_sum2)'}`);
  }
  const rows = sums.weights / sums.shape[0];
  if (counts.weights !== rows) {
    throw inputError(file.name, `tensor ${name} has sums of ${rows} matrices, but ${counts.weights} counts`);
  }
  return { sums: await readFloats(file, sums), counts: await readFloats(file, counts) };
}

/** Reads an importance matrix in GGUF form. @throws input error: anything malformed or missing. */
export async function readGgufForm(source: ByteSource): Promise<ImportanceMatrix> {
  const file = await readGguf(source);
  const type = getString(file.metadata, 'general.type', file.name);
  if (type !== 'imatrix') {
    throw inputError(file.name, `is a GGUF of type ${type ?? 'model'}, not an importance matrix`);
  }
  const number = (key: string): number => {
    const value = getNumber(file.metadata, key, file.name);
    if (value === undefined) throw inputError(file.name, `has no ${key}`);
    if (!Number.isInteger(value) || value < 0) throw inputError(file.name, `${key} is ${value}, no count`);
    return value;
  };
  const datasets = getStrings(file.metadata, KEYS.datasets, file.name);
  if (!datasets) throw inputError(file.name, `has no list ${KEYS.datasets}`);
  const names = new Set<string>();
  for (const { name } of file.tensors) {
    if (name.endsWith(SUMS)) names.add(name.slice(0, -SUMS.length));
    if (name.endsWith(COUNTS)) names.add(name.slice(0, -COUNTS.length));
  }
  const entries = new Map<string, ImportanceEntry>();
  for (const name of names) entries.set(name, await readEntry(file, name));
  return {
    name: file.name,
    form: 'gguf',
    entries,
    datasets,
    chunkCount: number(KEYS.chunkCount),
    chunkSize: Math.max(1, number(KEYS.chunkSize)),
  };
}

/** What a GGUF form is made of: keys, tensors, and the values of each tensor. */
export function ggufFormParts(matrix: ImportanceMatrix): {
  readonly metadata: Metadata;
  readonly tensors: readonly TensorSpec[];
  readonly data: readonly Float32Array[];
} {
  const metadata: Metadata = new Map<string, GgufValue>([
    ['general.type', str('imatrix')],
    [KEYS.datasets, strings(matrix.datasets)],
    [KEYS.chunkCount, u32(matrix.chunkCount)],
    [KEYS.chunkSize, u32(matrix.chunkSize)],
  ]);
  const tensors: TensorSpec[] = [];
  const data: Float32Array[] = [];
  for (const [name, { sums, counts }] of [...matrix.entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const shape = (length: number) =>
      counts.length === 1 ? [length] : [length / counts.length, counts.length];
    tensors.push({ name: name + SUMS, format: FORMATS.F32, shape: shape(sums.length) });
    tensors.push({ name: name + COUNTS, format: FORMATS.F32, shape: shape(counts.length) });
    data.push(sums, counts);
  }
  return { metadata, tensors, data };
}

/** The bytes of an importance matrix in GGUF form. @throws input error: a name that is too long for a tensor. */
export function writeGgufForm(matrix: ImportanceMatrix): Uint8Array {
  const { metadata, tensors, data } = ggufFormParts(matrix);
  const { header, offsets, size } = layoutGguf({ metadata, tensors });
  const bytes = new Uint8Array(size);
  bytes.set(header);
  data.forEach((values, i) => {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offsets[i]);
  });
  return bytes;
}
