/**
 * What a run needs of the world: a folder of files, and a hash. platform has the one of Node; others may bring
 * their own.
 */
import type { ByteSink } from '../core/index.ts';

/** A file that is being made under another name until it is whole. */
export interface PartialFile extends ByteSink {
  /** Exactly `length` bytes that were written before. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** What was written reaches the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A text file that grows by whole lines. */
export interface Log {
  append(line: string): Promise<void>;
  close(): Promise<void>;
}

export interface Workspace {
  /** The folder, for messages. */
  readonly name: string;
  /** Free bytes of its disk; undefined where that is not known. */
  free(): Promise<number | undefined>;
  /** Makes or opens a partial file of `size` bytes; bytes never written are zero. @param fresh drops old content. */
  openPartial(name: string, size: number, fresh: boolean): Promise<PartialFile>;
  /** Whether the partial, or the whole file, stands there with that size. */
  hasPartial(name: string, size: number): Promise<boolean>;
  hasWhole(name: string, size: number): Promise<boolean>;
  /** SHA-256 of a whole or a partial file, lower-case hex. */
  hash(name: string, which: 'whole' | 'partial'): Promise<string>;
  /** A partial file becomes the whole one, in one step. */
  finish(name: string): Promise<void>;
  /** A small text file; undefined where there is none. */
  readText(name: string): Promise<string | undefined>;
  /** Replaces a small text file in one step. */
  writeText(name: string, text: string): Promise<void>;
  openLog(name: string): Promise<Log>;
  remove(name: string): Promise<void>;
  removePartial(name: string): Promise<void>;
}

/** SHA-256 of bytes that come piece by piece. */
export interface Hasher {
  update(bytes: Uint8Array | string): Hasher;
  /** Lower-case hex. */
  hex(): string;
}

/** A quick checksum of bytes, against torn writes: 32 bits. */
export type Checksum = (bytes: Uint8Array) => number;

/** A new hash. */
export type NewHasher = () => Hasher;
