/**
 * Where bytes come from and where they go. Readers and writers of every container work on these two
 * interfaces, so a file, a URL, a Blob and a buffer in memory are one thing to them, and no reader ever
 * needs more in memory than it asks for.
 */
import { inputError } from './errors.ts';

/** A plain file of this machine as it was when it was opened: enough to open it again and to see that it is the same. */
export interface LocalFile {
  /** Absolute. */
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ino: number;
}

/** A place in a plain file. */
export interface FilePlace {
  readonly file: LocalFile;
  /** Bytes from the file's begin. */
  readonly offset: number;
}

/** Random-access bytes. Offsets and sizes are bytes, exact up to 2^53. */
export interface ByteSource {
  /** How the source is called in messages: a path or a URL. */
  readonly name: string;
  readonly size: number;
  /** Exactly `length` bytes from `offset`; an input error if the source ends before. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The file with these bytes, where they are one of this machine's. */
  readonly file?: LocalFile;
  close?(): Promise<void>;
}

/** Random-access output. Bytes never written read as zero. */
export interface ByteSink {
  readonly name: string;
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

/** A source over bytes already in memory; reads are views, not copies. */
export function memorySource(bytes: Uint8Array, name = 'buffer'): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => {
      checkRange({ name, size: bytes.length }, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** A source over a `Blob` or `File` of a browser; only what is asked for is read. */
export function blobSource(blob: Blob, name = 'name' in blob ? String(blob.name) : 'blob'): ByteSource {
  const { size } = blob;
  return {
    name,
    size,
    read: async (offset, length) => {
      checkRange({ name, size }, offset, length);
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
  };
}

/** A sink that collects everything in one growing buffer; `bytes()` is what was written so far. */
export function memorySink(name = 'buffer'): ByteSink & { bytes(): Uint8Array } {
  let buffer = new Uint8Array(1024);
  let size = 0;
  return {
    name,
    write: async (offset, bytes) => {
      const end = offset + bytes.length;
      if (end > buffer.length) {
        const grown = new Uint8Array(Math.max(end, 2 * buffer.length));
        grown.set(buffer);
        buffer = grown;
      }
      buffer.set(bytes, offset);
      size = Math.max(size, end);
    },
    bytes: () => buffer.subarray(0, size),
  };
}

/** Throws an input error unless `offset .. offset + length` lies inside the source. */
export function checkRange(source: { name: string; size: number }, offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw inputError(source.name, `cannot read ${length} bytes at ${offset}`);
  }
  if (offset + length > source.size) {
    throw inputError(
      source.name,
      `needs ${length} bytes at offset ${offset}, but the file ends at ${source.size}: it is cut short`,
    );
  }
}

/** `value` rounded up to a multiple of `alignment`; exact up to 2^53 (no 32-bit operators). */
export function alignUp(value: number, alignment: number): number {
  const rest = value % alignment;
  return rest === 0 ? value : value + alignment - rest;
}
