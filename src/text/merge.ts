/**
 * Byte-pair merging: of all neighbouring pairs the one that comes first merges, again and again, until none is left.
 * Symbols form a linked list and pairs wait in a heap, so n symbols take n log n steps, never n².
 */

/** What a vocabulary knows about pairs. Symbols are named by their first place, 0 to n - 1. */
export interface Pairs {
  /**
   * When the symbols at `left` and `right` merge: the least rank goes first, of equal ranks the leftmost.
   * `end` is the place behind `right`. Infinity: they never do.
   */
  rank(left: number, right: number, end: number): number;
  /** They have merged: `left` now reaches to `end`. */
  join(left: number, right: number, end: number): void;
}

/** Steps of the last runs, for tests of how work grows with the text. */
export interface MergeWork {
  /** Pairs that were looked up. */
  lookups: number;
  /** Moves of entries inside the heap. */
  moves: number;
}

/** Room for this many symbols at first; it grows by doubling. */
const INITIAL_ROOM = 256;

/** Kept between texts at most: 2^16 symbols are a megabyte or so. */
const KEPT_ROOM = 1 << 16;

export class PairMerger {
  readonly work: MergeWork = { lookups: 0, moves: 0 };
  #room = 0;
  /** First place of the symbol behind the one at i, n at the end; the place before likewise, -1 at the start. */
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  /** Whether a symbol starts at i: 0 once it is part of another. */
  #starts = new Uint8Array(0);
  /** The heap: rank, left symbol and end of each waiting pair. */
  #ranks = new Float64Array(0);
  #lefts = new Int32Array(0);
  #ends = new Int32Array(0);
  #waiting = 0;

  /** Merges n symbols of width 1. @returns next places: the symbols are 0, next[0], next[next[0]] … below n. */
  run(n: number, pairs: Pairs): Int32Array {
    this.#prepare(n);
    for (let i = 0; i + 1 < n; i++) this.#offer(i, i + 1, n, pairs);
    while (this.#waiting > 0) {
      const left = this.#lefts[0];
      const end = this.#ends[0];
      this.#drop();
      const right = this.#next[left];
      // A pair is out of date once one of its symbols has merged otherwise.
      if (this.#starts[left] === 0 || right >= n || this.#next[right] !== end) continue;
      this.#starts[right] = 0;
      this.#next[left] = end;
      if (end < n) this.#previous[end] = left;
      pairs.join(left, right, end);
      if (this.#previous[left] >= 0) this.#offer(this.#previous[left], left, n, pairs);
      if (end < n) this.#offer(left, end, n, pairs);
    }
    const next = this.#next;
    if (this.#room > KEPT_ROOM) this.#reserve(0);
    return next;
  }

  #reserve(room: number): void {
    this.#room = room;
    this.#next = new Int32Array(room);
    this.#previous = new Int32Array(room);
    this.#starts = new Uint8Array(room);
    // A pair between neighbours at first, and two new ones a merge.
    this.#ranks = new Float64Array(3 * room);
    this.#lefts = new Int32Array(3 * room);
    this.#ends = new Int32Array(3 * room);
  }

  #prepare(n: number): void {
    if (n > this.#room) this.#reserve(Math.max(INITIAL_ROOM, 2 ** Math.ceil(Math.log2(n))));
    for (let i = 0; i < n; i++) {
      this.#next[i] = i + 1;
      this.#previous[i] = i - 1;
      this.#starts[i] = 1;
    }
    this.#waiting = 0;
  }

  /** Puts a pair into the heap if it ever merges. */
  #offer(left: number, right: number, n: number, pairs: Pairs): void {
    if (right >= n) return;
    const end = this.#next[right];
    this.work.lookups++;
    const rank = pairs.rank(left, right, end);
    if (rank === Number.POSITIVE_INFINITY) return;
    let at = this.#waiting++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(rank, left, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(at, rank, left, end);
  }

  /** Takes the first pair out of the heap. */
  #drop(): void {
    const last = --this.#waiting;
    const rank = this.#ranks[last];
    const left = this.#lefts[last];
    const end = this.#ends[last];
    let at = 0;
    for (let child = 1; child < last; child = 2 * at + 1) {
      const other = child + 1;
      if (other < last && this.#before(this.#ranks[other], this.#lefts[other], child)) child = other;
      if (this.#before(rank, left, child)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, rank, left, end);
  }

  #before(rank: number, left: number, other: number): boolean {
    return rank < this.#ranks[other] || (rank === this.#ranks[other] && left < this.#lefts[other]);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#ranks[from], this.#lefts[from], this.#ends[from]);
  }

  #put(at: number, rank: number, left: number, end: number): void {
    this.work.moves++;
    this.#ranks[at] = rank;
    this.#lefts[at] = left;
    this.#ends[at] = end;
  }
}
