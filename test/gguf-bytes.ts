/**
 * GGUF files built byte by byte, independently of the writer under test, so that tests can make every kind of
 * malformed file. Numbers are little-endian unless `big` is given to `ggufBytes`.
 */

/** A piece of a file, written in either byte order. */
export type Piece = (little: boolean) => Uint8Array;

function number(width: number, set: (view: DataView, little: boolean) => void): Piece {
  return (little) => {
    const view = new DataView(new ArrayBuffer(width));
    set(view, little);
    return new Uint8Array(view.buffer);
  };
}

export const u8 = (value: number) => number(1, (view) => view.setUint8(0, value));
export const u16 = (value: number) => number(2, (view, little) => view.setUint16(0, value, little));
export const u32 = (value: number) => number(4, (view, little) => view.setUint32(0, value, little));
export const u64 = (value: number | bigint) =>
  number(8, (view, little) => view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), little));
export const f32 = (value: number) => number(4, (view, little) => view.setFloat32(0, value, little));
export const f64 = (value: number) => number(8, (view, little) => view.setFloat64(0, value, little));
export const raw = (bytes: Iterable<number>): Piece => {
  const copy = Uint8Array.from(bytes);
  return () => copy;
};
export const zeros = (count: number) => raw(new Uint8Array(count));

/** Pieces one after the other. */
export function join(...pieces: Piece[]): Piece {
  return (little) => Uint8Array.from(pieces.flatMap((piece) => [...piece(little)]));
}

export function str(text: string | Uint8Array): Piece {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return join(u64(bytes.length), raw(bytes));
}

/** A metadata pair: key, type id, value. */
export const pair = (key: string | Uint8Array, type: number, value: Piece) =>
  join(str(key), u32(type), value);

export const pairU32 = (key: string, value: number) => pair(key, 4, u32(value));
export const pairString = (key: string, value: string) => pair(key, 8, str(value));

/** An array value: element type id, count, elements. */
export const array = (type: number, count: number | bigint, ...items: Piece[]) =>
  join(u32(type), u64(count), ...items);

/** A tensor entry. @param type ggml type id, 0 is F32. */
export function entry(
  name: string | Uint8Array,
  shape: readonly (number | bigint)[],
  type = 0,
  offset: number | bigint = 0,
): Piece {
  return join(str(name), u32(shape.length), ...shape.map((length) => u64(length)), u32(type), u64(offset));
}

export interface FileParts {
  readonly magic?: string;
  readonly version?: number;
  readonly big?: boolean;
  readonly pairs?: readonly Piece[];
  readonly entries?: readonly Piece[];
  /** Counts other than the true ones. */
  readonly pairCount?: number | bigint;
  readonly tensorCount?: number | bigint;
  readonly alignment?: number;
  /** Tensor data, after the padding. */
  readonly data?: Piece;
}

/** A whole file. */
export function ggufBytes(parts: FileParts = {}): Uint8Array {
  const { magic = 'GGUF', version = 3, big = false, pairs = [], entries = [], alignment = 32 } = parts;
  const header = join(
    raw(new TextEncoder().encode(magic)),
    u32(version),
    u64(parts.tensorCount ?? entries.length),
    u64(parts.pairCount ?? pairs.length),
    ...pairs,
    ...entries,
  )(!big);
  const padding = (alignment - (header.length % alignment)) % alignment;
  return join(raw(header), zeros(padding), parts.data ?? zeros(0))(!big);
}
