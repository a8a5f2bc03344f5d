/**
 * Reads a header front to back from a source of any size, in pieces that grow, without ever holding more than
 * one record (a metadata pair, a tensor's entry) and the piece it came in. Every length is checked against the
 * bytes that are left in the file before anything is allocated.
 */
import { type BitmillError, type ByteSource, inputError } from '../core/index.ts';
import type { GgufLimits } from './limits.ts';

/** Bytes of the first piece; most small headers fit. */
const FIRST_PIECE = 1 << 18;

/** Pieces grow fourfold up to this many bytes, so that a URL needs few requests. */
const LARGEST_PIECE = 1 << 24;

/** Thrown by a parser that needs bytes which are in the file but not in memory yet. */
class Shortage extends Error {
  /** File offset up to which bytes are needed. */
  readonly end: number;

  constructor(end: number) {
    super('more bytes needed');
    this.end = end;
  }
}

export class HeaderCursor {
  readonly source: ByteSource;
  readonly limits: GgufLimits;
  /** Set once the version is known. */
  little = true;
  /** What is being read, for messages: `metadata key "x"`. */
  place = 'header';
  /** File offset of the first byte in memory. */
  #base = 0;
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #piece = FIRST_PIECE;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(source: ByteSource, limits: GgufLimits) {
    this.source = source;
    this.limits = limits;
  }

  /** File offset of the next byte. */
  get position(): number {
    return this.#base + this.#at;
  }

  /** Bytes of the file after the position. */
  get remaining(): number {
    return this.source.size - this.position;
  }

  fail(problem: string, hint?: string): BitmillError {
    return inputError(`${this.source.name}: ${this.place} (at byte ${this.position})`, problem, hint);
  }

  /** Runs a parser from the current position, again from there whenever it runs out of loaded bytes. */
  async record<T>(parse: () => T): Promise<T> {
    const start = this.position;
    for (;;) {
      try {
        return parse();
      } catch (error) {
        if (!(error instanceof Shortage)) throw error;
        await this.#load(start, error.end);
      }
    }
  }

  /** Forgets what is before `start`, loads all from there to `end` or further and goes back to `start`. */
  async #load(start: number, end: number): Promise<void> {
    const kept = this.#bytes.subarray(start - this.#base);
    const wanted = Math.max(end - start, kept.length + this.#piece, 2 * kept.length);
    const length = Math.min(wanted, this.source.size - start);
    const more = await this.source.read(start + kept.length, length - kept.length);
    this.#bytes = new Uint8Array(length);
    this.#bytes.set(kept);
    this.#bytes.set(more, kept.length);
    this.#view = new DataView(this.#bytes.buffer);
    this.#base = start;
    this.#at = 0;
    this.#piece = Math.min(4 * this.#piece, LARGEST_PIECE);
  }

  /** Moves over `length` bytes and returns where they start in memory. */
  #take(length: number): number {
    if (length > this.remaining) {
      throw this.fail(`needs ${length} bytes, but only ${this.remaining} are left: the file is cut short`);
    }
    if (this.position + length > this.limits.headerBytes) {
      throw this.fail(`the header is longer than the limit of ${this.limits.headerBytes} bytes`);
    }
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new Shortage(this.position + length);
    this.#at += length;
    return at;
  }

  /** A value of fixed width. */
  fixed<T>(width: number, read: (view: DataView, at: number, little: boolean) => T): T {
    const at = this.#take(width);
    return read(this.#view, at, this.little);
  }

  u32(): number {
    return this.fixed(4, (view, at, little) => view.getUint32(at, little));
  }

  /** An unsigned count or size. @throws input error: above 2^53. */
  count(what: string): number {
    const value = this.fixed(8, (view, at, little) => view.getBigUint64(at, little));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      const signed = BigInt.asIntN(64, value);
      throw this.fail(`${what} is ${value}${signed < 0n ? ` (${signed} if signed)` : ''}, which is absurd`);
    }
    return Number(value);
  }

  /** A count of things that take `least` bytes each or more. */
  countOf(what: string, least: number, limit: number): number {
    const count = this.count(what);
    if (count > limit) throw this.fail(`${what} is ${count}, above the limit of ${limit}`);
    if (count * least > this.remaining) {
      throw this.fail(
        `${what} is ${count}, which needs ${count * least} bytes or more; the file has ${this.remaining} left`,
      );
    }
    return count;
  }

  string(what: string, limit: number): string {
    const length = this.count(`length of ${what}`);
    if (length > limit) throw this.fail(`${what} is ${length} bytes long, above the limit of ${limit}`);
    const at = this.#take(length);
    try {
      return this.#utf8.decode(this.#bytes.subarray(at, at + length));
    } catch {
      throw this.fail(`${what} is not valid UTF-8`);
    }
  }
}
