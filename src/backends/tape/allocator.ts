/** Who has which bytes of a stretch of addresses. */
import { alignUp } from '../../core/index.ts';

/** Blocks start at a multiple of this many bytes: a cache line. */
const ALIGNMENT = 64;

interface Gap {
  readonly start: number;
  readonly end: number;
}

/** Hands out blocks of the addresses `start .. end`: the lowest gap that is large enough. */
export class Allocator {
  /** Gaps in order of addresses; no two touch. */
  #gaps: Gap[];
  readonly #taken = new Map<number, number>();
  #used = 0;

  constructor(start: number, end: number) {
    this.#gaps = [{ start, end }];
  }

  /** Bytes taken, each block rounded up to cache lines. */
  get used(): number {
    return this.#used;
  }

  /** Bytes of the largest gap. */
  get largest(): number {
    return this.#gaps.reduce((most, { start, end }) => Math.max(most, end - start), 0);
  }

  /** Address of `bytes` bytes, or undefined where no gap is that large. */
  take(bytes: number): number | undefined {
    const size = alignUp(Math.max(1, bytes), ALIGNMENT);
    const at = this.#gaps.findIndex(({ start, end }) => end - start >= size);
    if (at < 0) return undefined;
    const { start, end } = this.#gaps[at];
    this.#gaps.splice(at, 1, ...(end - start > size ? [{ start: start + size, end }] : []));
    this.#taken.set(start, size);
    this.#used += size;
    return start;
  }

  /** Takes a block back and joins it with the gaps that it touches. */
  give(address: number): void {
    const size = this.#taken.get(address);
    if (size === undefined) throw new Error(`no block starts at address ${address}`);
    this.#taken.delete(address);
    this.#used -= size;
    const after = this.#gaps.findIndex(({ start }) => start > address);
    const at = after < 0 ? this.#gaps.length : after;
    const joinsLeft = at > 0 && this.#gaps[at - 1].end === address;
    const joinsRight = at < this.#gaps.length && this.#gaps[at].start === address + size;
    const start = joinsLeft ? this.#gaps[at - 1].start : address;
    const end = joinsRight ? this.#gaps[at].end : address + size;
    this.#gaps.splice(at - Number(joinsLeft), Number(joinsLeft) + Number(joinsRight), { start, end });
  }
}
