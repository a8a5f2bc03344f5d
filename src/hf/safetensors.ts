/**
 * safetensors: eight bytes with the length of a JSON header, the header, then the tensors' bytes without gaps.
 * Only the header is read here; whoever wants data reads the range that an entry names.
 */
import { type ByteSource, inputError } from '../core/index.ts';
import { asRecord, describe, parseJson } from './json.ts';
import type { CheckpointTensor, SafetensorsType } from './types.ts';

/** Bytes of one element. */
export const SAFETENSORS_TYPES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  U32: 4,
  U64: 8,
} as const satisfies Record<SafetensorsType, number>;

/** Largest header in bytes; the format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;

/** Most tensors in one file. */
const MAX_TENSORS = 1_000_000;

/** Most dimensions of a tensor; GGUF allows 4, convolutions need 5. */
const MAX_RANK = 8;

/** Bytes before the header: its length as u64. */
const PREFIX = 8;

/** The header's name for its free-form strings. */
const METADATA = '__metadata__';

export interface SafetensorsEntry extends CheckpointTensor {
  /** Absolute byte offset of the data in the file. */
  readonly offset: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In header order. */
  readonly tensors: readonly SafetensorsEntry[];
}

/** What a writer needs to know of a tensor. */
export type SafetensorsSpec = Pick<CheckpointTensor, 'name' | 'dtype' | 'shape'>;

function isType(value: unknown): value is SafetensorsType {
  return typeof value === 'string' && Object.hasOwn(SAFETENSORS_TYPES, value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Bytes of a tensor, or undefined where the exact product passes 2^53. */
function tensorBytes(dtype: SafetensorsType, shape: readonly number[]): number | undefined {
  let bytes: number = SAFETENSORS_TYPES[dtype];
  for (const size of shape) {
    bytes *= size;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}

function readMetadata(value: unknown, place: string): Map<string, string> {
  const metadata = new Map<string, string>();
  for (const [name, text] of Object.entries(asRecord(value, `${place}: ${METADATA}`))) {
    if (typeof text !== 'string') {
      throw inputError(place, `${METADATA}.${describe(name)} is ${describe(text)}, not a string`);
    }
    metadata.set(name, text);
  }
  return metadata;
}

/** One header entry, checked in itself; `offset` is still relative to the data. */
function readEntry(name: string, value: unknown, file: string): SafetensorsEntry {
  const place = `${file}: tensor ${describe(name)}`;
  const { dtype, shape, data_offsets: offsets } = asRecord(value, place);
  if (!isType(dtype)) {
    const known = Object.keys(SAFETENSORS_TYPES).join(', ');
    throw inputError(place, `has dtype ${describe(dtype)}`, `Known types: ${known}.`);
  }
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isCount)) {
    throw inputError(place, `has shape ${describe(shape)}, not up to ${MAX_RANK} sizes`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw inputError(place, `has data_offsets ${describe(offsets)}, not [begin, end]`);
  }
  const [begin, end] = offsets;
  const bytes = tensorBytes(dtype, shape);
  if (bytes === undefined) throw inputError(place, `has shape ${describe(shape)}: too large to count`);
  if (end - begin !== bytes) {
    throw inputError(
      place,
      `is ${dtype} ${describe(shape)}, ${bytes} bytes; data_offsets give ${end - begin}`,
    );
  }
  return { name, dtype, shape, bytes, offset: begin };
}

/** Refuses overlaps, holes and data beyond the file: the tensors cover the data exactly. */
function checkCover(tensors: readonly SafetensorsEntry[], size: number, file: string): void {
  let position = 0;
  for (const { name, offset, bytes } of tensors.toSorted(
    (a, b) => a.offset - b.offset || a.bytes - b.bytes,
  )) {
    if (offset !== position) {
      const how = offset < position ? 'overlaps the tensor before it' : 'leaves unused bytes before it';
      throw inputError(`${file}: tensor ${describe(name)}`, `${how} (begins at ${offset}, not ${position})`);
    }
    position = offset + bytes;
  }
  if (position > size)
    throw inputError(file, `is cut short: its tensors need ${position} bytes, it has ${size}`);
  if (position < size) throw inputError(file, `has ${size - position} bytes after its last tensor`);
}

/** Bytes of the header, from the file's first eight. */
async function headerLength(source: ByteSource): Promise<number> {
  if (source.size < PREFIX)
    throw inputError(source.name, `is ${source.size} bytes, too short for safetensors`);
  const prefix = await source.read(0, PREFIX);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX).getBigUint64(0, true);
  if (length > BigInt(source.size - PREFIX)) {
    throw inputError(source.name, `header of ${length} bytes does not fit into the file of ${source.size}`);
  }
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw inputError(source.name, `header of ${length} bytes; at most ${MAX_HEADER_BYTES} are allowed`);
  }
  return Number(length);
}

/**
 * Reads and checks the header of a safetensors file; no tensor data.
 * @throws input error, naming tensor and reason, for anything that the format forbids.
 */
export async function readSafetensors(source: ByteSource): Promise<SafetensorsHeader> {
  const length = await headerLength(source);
  const place = `${source.name}: header`;
  const json = parseJson(await source.read(PREFIX, length), place, { uniqueNames: true });
  const entries = Object.entries(asRecord(json, place));
  if (entries.length > MAX_TENSORS) {
    throw inputError(place, `names ${entries.length} tensors; at most ${MAX_TENSORS} are allowed`);
  }
  let metadata = new Map<string, string>();
  const relative: SafetensorsEntry[] = [];
  for (const [name, value] of entries) {
    if (name === METADATA) metadata = readMetadata(value, place);
    else relative.push(readEntry(name, value, source.name));
  }
  const start = PREFIX + length;
  checkCover(relative, source.size - start, source.name);
  return { metadata, tensors: relative.map((entry) => ({ ...entry, offset: start + entry.offset })) };
}

/** Where everything of a safetensors file goes. */
export interface SafetensorsLayout {
  /** All bytes before the data. Write at 0. */
  readonly header: Uint8Array;
  /** Absolute offset of each tensor's data, in the order of the specs. */
  readonly offsets: readonly number[];
  /** Size of the whole file. */
  readonly size: number;
}

/** Lays out a safetensors file: the tensors in the order given, the header padded to 8 bytes with spaces. */
export function layoutSafetensors(
  tensors: readonly SafetensorsSpec[],
  metadata: ReadonlyMap<string, string> = new Map(),
): SafetensorsLayout {
  const members: string[] = [];
  const member = (name: string, json: string) => void members.push(`${JSON.stringify(name)}:${json}`);
  if (metadata.size > 0) {
    const pairs = [...metadata].map(([name, text]) => `${JSON.stringify(name)}:${JSON.stringify(text)}`);
    member(METADATA, `{${pairs.join(',')}}`);
  }
  const begins: number[] = [];
  let position = 0;
  for (const { name, dtype, shape } of tensors) {
    const bytes = tensorBytes(dtype, shape);
    if (bytes === undefined || name === METADATA) {
      throw inputError(`tensor ${describe(name)}`, `cannot be written as ${dtype} ${describe(shape)}`);
    }
    begins.push(position);
    member(name, JSON.stringify({ dtype, shape, data_offsets: [position, position + bytes] }));
    position += bytes;
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(PREFIX + length).fill(0x20, PREFIX);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, PREFIX);
  return { header, offsets: begins.map((begin) => header.length + begin), size: header.length + position };
}
