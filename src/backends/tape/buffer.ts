/** Buffers of backends with tapes: a block of the backend's memory. */
import type { TensorFormat } from '../../quants/index.ts';
import type { Buffer } from '../backend.ts';

/** Bytes of a weight that lie in memory already, read-only: a part of a mapped file. */
export interface HeldBytes {
  readonly address: number;
  readonly bytes: number;
  /** The address must not be used afterwards. A second time does nothing. */
  release(): void;
}

export class Block {
  readonly address: number;
  readonly bytes: number;
  /** Format of an uploaded tensor as it lies in memory. */
  readonly format: TensorFormat | undefined;
  /** Set where the bytes are not the backend's own memory; such a block cannot be written. */
  readonly held: HeldBytes | undefined;
  live = true;

  constructor(address: number, bytes: number, format?: TensorFormat, held?: HeldBytes) {
    this.address = address;
    this.bytes = bytes;
    this.format = format;
    this.held = held;
  }

  /** The block as callers of the backend see it. */
  get buffer(): Buffer {
    return this as unknown as Buffer;
  }
}

/** @throws Error: another backend's buffer, or one that was freed. */
export function blockOf(buffer: Buffer, what: string): Block {
  const block: unknown = buffer;
  if (!(block instanceof Block)) throw new Error(`${what}: the buffer is of another backend`);
  if (!block.live) throw new Error(`${what}: the buffer was freed`);
  return block;
}

/** @throws Error: the block is shorter than what a run needs. */
export function demandBytes(block: Block, bytes: number, what: string): void {
  if (block.bytes < bytes) throw new Error(`${what} needs ${bytes} bytes, its buffer has ${block.bytes}`);
}

/** @throws Error: the block is read-only. */
export function demandWritable({ held }: Block, what: string): void {
  if (held) throw new Error(`${what}: the buffer is a weight in its file, which is read-only`);
}
