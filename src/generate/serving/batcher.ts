/**
 * Makes runs of what many sequences want to be fed: continuous batching with prompts in pieces. Whoever was just woken
 * by a run has a turn of the event loop to sample and feed again, so that all of them are in the next run together.
 */
import type { Part, Sequences, Wanted } from '../sequences.ts';
import type { Gate } from './gate.ts';
import { Stopped } from './stopped.ts';
import { nextTurn } from './turn.ts';

/** Tokens of prompts in a run that others wait for to go on: what a long prompt may cost each of their tokens. */
const PROMPT_SHARE = 64;

/** Rows of logits in a run at most: of a vocabulary of 150,000 they are 38 MB. */
const LOGITS_ROWS = 64;

/** Tokens for a sequence; in one run where they fit, else in several. A sequence has one at a time. */
export interface Feed {
  readonly sequence: number;
  readonly tokens: Int32Array;
  /** `last`: of the whole feed. */
  readonly want: Wanted;
  /** Ends the feed between two runs. */
  readonly signal?: AbortSignal | undefined;
  /** Hears of each piece how many tokens it had and what it gave; the next piece waits for it. */
  readonly onPiece: (count: number, result: Float32Array) => void | Promise<void>;
}

class Entry {
  readonly feed: Feed;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Tokens done. */
  at = 0;

  constructor(feed: Feed, resolve: () => void, reject: (error: unknown) => void) {
    this.feed = feed;
    this.resolve = resolve;
    this.reject = reject;
  }

  get left(): number {
    return this.feed.tokens.length - this.at;
  }

  /** A token of a generation. */
  get isSingle(): boolean {
    return this.feed.tokens.length === 1;
  }
}

interface Piece {
  readonly entry: Entry;
  readonly count: number;
}

function partOf({ entry, count }: Piece): Part {
  const { sequence, tokens, want } = entry.feed;
  const isLast = count === entry.left;
  return {
    sequence,
    tokens: tokens.slice(entry.at, entry.at + count),
    want: want === 'last' && !isLast ? 'nothing' : want,
  };
}

export class Batcher {
  readonly #sequences: Sequences;
  readonly #gate: Gate;
  /** Those that could be in the next run, who waits longest first. */
  #waiting: Entry[] = [];
  #errands: (() => void)[] = [];
  #loop: Promise<void> | undefined;
  #closed = false;
  /** Since the start. */
  runs = 0;
  runTokens = 0;

  constructor(sequences: Sequences, gate: Gate) {
    this.#sequences = sequences;
    this.#gate = gate;
  }

  /** @throws Stopped; what the run throws, of a run with nothing else in it. */
  feed(feed: Feed): Promise<void> {
    let leave = () => {};
    const done = new Promise<void>((resolve, reject) => {
      const entry = new Entry(feed, resolve, reject);
      leave = () => this.#leave(entry);
      feed.signal?.addEventListener('abort', leave);
      this.#enter(entry);
    });
    return done.finally(() => feed.signal?.removeEventListener('abort', leave));
  }

  /** Does something while no run is going on. @throws Stopped. */
  between(work: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Stopped());
      this.#errands.push(() => {
        try {
          if (this.#closed) throw new Stopped();
          work();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
      this.#wake();
    });
  }

  /** Stops all feeds; resolves when no run is going on any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Stopped());
    await this.#loop;
  }

  #enter(entry: Entry): void {
    if (this.#closed || entry.feed.signal?.aborted) entry.reject(new Stopped());
    else {
      this.#waiting.push(entry);
      this.#wake();
    }
  }

  /** What is in a run stays there. */
  #leave(entry: Entry): void {
    const at = this.#waiting.indexOf(entry);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    entry.reject(new Stopped());
  }

  #wake(): void {
    this.#loop ??= this.#goOn().finally(() => {
      this.#loop = undefined;
      if (this.#waiting.length + this.#errands.length > 0) this.#wake();
    });
  }

  async #goOn(): Promise<void> {
    while (this.#waiting.length + this.#errands.length > 0) {
      await nextTurn();
      await this.#gate.pass(() => this.#next());
    }
  }

  async #next(): Promise<void> {
    const errands = this.#errands.splice(0);
    for (const errand of errands) errand();
    // Whoever waited for one of them can feed now.
    if (errands.length > 0) await nextTurn();
    const pieces = this.#compose();
    try {
      if (pieces.length > 0) await this.#run(pieces);
    } catch (error) {
      for (const { entry } of pieces) entry.reject(error);
    }
  }

  /** Takes what the next run has out of the line. Whoever waits longest is in it, so everybody has a turn. */
  #compose(): Piece[] {
    const { batch } = this.#sequences;
    const singles = this.#waiting.filter((entry) => entry.isSingle);
    const prompts = this.#waiting.filter((entry) => !entry.isSingle);
    const bound = singles.length > 0 ? PROMPT_SHARE : batch;
    const least = prompts.length > 0 && prompts[0] === this.#waiting[0] ? Math.ceil(batch / 2) : 0;
    let room = Math.max(least, Math.min(bound, batch - singles.length));
    let rows = LOGITS_ROWS;
    const pieces: Piece[] = [];
    for (const entry of prompts) {
      const count = Math.min(entry.left, room, entry.feed.want === 'all' ? rows : room);
      if (count === 0) continue;
      pieces.push({ entry, count });
      room -= count;
      if (entry.feed.want === 'all') rows -= count;
    }
    const used = pieces.reduce((sum, { count }) => sum + count, 0);
    pieces.unshift(...singles.slice(0, batch - used).map((entry) => ({ entry, count: 1 })));
    const taken = new Set(pieces.map(({ entry }) => entry));
    this.#waiting = this.#waiting.filter((entry) => !taken.has(entry));
    return pieces;
  }

  /** One run; where it fails, each piece alone, so that only what is at fault fails. */
  async #run(pieces: readonly Piece[]): Promise<void> {
    const parts = pieces.map(partOf);
    const positions = parts.map(({ sequence }) => this.#sequences.position(sequence));
    try {
      const results = await this.#sequences.run(parts);
      this.runs++;
      for (const [i, piece] of pieces.entries()) {
        this.runTokens += piece.count;
        void this.#deliver(piece, results[i]);
      }
    } catch (error) {
      for (const [i, { sequence }] of parts.entries()) this.#sequences.rewind(sequence, positions[i]);
      if (pieces.length === 1) pieces[0].entry.reject(error);
      else for (const piece of pieces) await this.#run([piece]);
    }
  }

  async #deliver({ entry, count }: Piece, result: Float32Array): Promise<void> {
    entry.at += count;
    try {
      await entry.feed.onPiece(count, result);
    } catch (error) {
      return entry.reject(error);
    }
    if (entry.left === 0) entry.resolve();
    else this.#enter(entry);
  }
}
