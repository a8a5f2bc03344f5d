/**
 * Lays out a GGUF to be written: the header's bytes and where each tensor's data goes. What llama.cpp's reader
 * demands is checked here, so that a file that is laid out loads there; any valid alignment is honoured
 * (llama.cpp itself wants 32 or more: below, its loader stops at an assertion).
 */
import { alignUp, inputError } from '../core/index.ts';
import {
  ALIGNMENT_KEY,
  alignmentProblem,
  DEFAULT_ALIGNMENT,
  DEFAULT_LIMITS,
  MAX_KEY_BYTES,
  MAX_NAME_BYTES,
} from './limits.ts';
import { u32 } from './metadata.ts';
import { FIXED, type FixedType } from './scalars.ts';
import { measureTensor } from './tensors.ts';
import { quoted } from './text.ts';
import {
  type GgufArray,
  type GgufLayout,
  type GgufValue,
  type Metadata,
  type Scalar,
  type TensorSpec,
  VALUE_TYPES,
  type ValueType,
} from './types.ts';

export interface LayoutInput {
  readonly metadata: Metadata;
  /** Data follows in this order. */
  readonly tensors: readonly TensorSpec[];
  /** Bytes; a power of two up to 1 MiB. Default: `general.alignment` of the metadata, else 32. */
  readonly alignment?: number;
  readonly version?: 2 | 3;
}

/** Little-endian bytes, appended. */
class HeaderBytes {
  #bytes = new Uint8Array(1 << 16);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  #grow(length: number): number {
    const end = this.#size + length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    const at = this.#size;
    this.#size = end;
    return at;
  }

  /** @param place what the value is, for messages. */
  fixed(type: FixedType, value: Scalar, place: string): void {
    const { width, write } = FIXED[type];
    const at = this.#grow(width);
    if (!write(this.#view, at, value)) throw inputError(place, `${quoted(String(value))} is no ${type}`);
  }

  u32(value: number): void {
    this.#view.setUint32(this.#grow(4), value, true);
  }

  u64(value: number): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  bytes(bytes: Uint8Array): void {
    this.u64(bytes.length);
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** All of it, with zeros up to a multiple of `alignment`. */
  padded(alignment: number): Uint8Array {
    this.#grow(alignUp(this.#size, alignment) - this.#size);
    return this.#bytes.slice(0, this.#size);
  }
}

const utf8 = new TextEncoder();

function writeScalar(
  out: HeaderBytes,
  type: Exclude<ValueType, 'array'>,
  value: Scalar,
  place: string,
): void {
  if (type !== 'string') out.fixed(type, value, place);
  else if (typeof value === 'string') out.bytes(utf8.encode(value));
  else throw inputError(place, `${String(value)} is no string`);
}

function writeArray(out: HeaderBytes, { of, value }: GgufArray, place: string): void {
  out.u32(VALUE_TYPES[of]);
  out.u64(value.length);
  for (const item of value) {
    if (typeof item === 'object' && of === 'array') writeArray(out, item, place);
    else if (typeof item !== 'object' && of !== 'array') writeScalar(out, of, item, place);
    else throw inputError(place, `an element of the array is no ${of}`);
  }
}

function writePair(out: HeaderBytes, key: string, value: GgufValue): void {
  const place = `metadata key ${quoted(key)}`;
  const bytes = utf8.encode(key);
  if (bytes.length < 1 || bytes.length > MAX_KEY_BYTES) {
    throw inputError(place, `the key has ${bytes.length} bytes; 1 to ${MAX_KEY_BYTES} are allowed`);
  }
  out.bytes(bytes);
  out.u32(VALUE_TYPES[value.type]);
  if (value.type === 'array') writeArray(out, value, place);
  else writeScalar(out, value.type, value.value, place);
}

/** The alignment to use, and the metadata that tells it. */
function settleAlignment({ metadata, alignment }: LayoutInput): { alignment: number; metadata: Metadata } {
  const place = `metadata key "${ALIGNMENT_KEY}"`;
  const entry = metadata.get(ALIGNMENT_KEY);
  if (entry && (entry.type !== 'u32' || typeof entry.value !== 'number')) {
    throw inputError(place, `is of type ${entry.type}, not u32`);
  }
  const told = entry ? Number(entry.value) : undefined;
  const settled = alignment ?? told ?? DEFAULT_ALIGNMENT;
  const problem = alignmentProblem(settled, DEFAULT_LIMITS.alignment);
  if (problem !== undefined) throw inputError(place, problem);
  if (settled === (told ?? DEFAULT_ALIGNMENT)) return { alignment: settled, metadata };
  return { alignment: settled, metadata: new Map([...metadata, [ALIGNMENT_KEY, u32(settled)]]) };
}

/** Writes a tensor's entry. @returns bytes of its data. */
function writeEntry(out: HeaderBytes, spec: TensorSpec, relative: number): number {
  const place = `tensor ${quoted(spec.name)}`;
  const name = utf8.encode(spec.name);
  if (name.length < 1 || name.length > MAX_NAME_BYTES) {
    throw inputError(place, `the name has ${name.length} bytes; 1 to ${MAX_NAME_BYTES} are allowed`);
  }
  const measured = measureTensor(spec);
  if (typeof measured === 'string') throw inputError(place, measured);
  out.bytes(name);
  out.u32(spec.shape.length);
  for (const length of spec.shape) out.u64(length);
  out.u32(spec.format.id);
  out.u64(relative);
  return measured.bytes;
}

/**
 * The header and the places of the data of a GGUF. Write `header` at 0, each tensor at its offset, and make the
 * file `size` bytes long; bytes between are zero.
 * @throws input error: a value that its type cannot hold, a bad name, shape or alignment, a tensor twice.
 */
export function layoutGguf(input: LayoutInput): GgufLayout {
  const { alignment, metadata } = settleAlignment(input);
  const { tensors, version = 3 } = input;
  const out = new HeaderBytes();
  out.u32(0x46554747); // 'GGUF'
  out.u32(version);
  out.u64(tensors.length);
  out.u64(metadata.size);
  for (const [key, value] of metadata) writePair(out, key, value);
  const names = new Set<string>();
  const relative: number[] = [];
  let next = 0;
  for (const spec of tensors) {
    if (names.has(spec.name)) throw inputError(`tensor ${quoted(spec.name)}`, 'is there twice');
    names.add(spec.name);
    relative.push(next);
    next = alignUp(next + writeEntry(out, spec, next), alignment);
  }
  const header = out.padded(alignment);
  return { header, offsets: relative.map((offset) => header.length + offset), size: header.length + next };
}
