/**
 * Several sequences on one engine, side by side in one run: the weights are read once for all of them. Each sequence
 * has a region of the caches of its own.
 */

/** What a run gives back of a part: logits [1, V] of its last token, logits [rows, V] of all, final states [rows, E]. */
export type Wanted = 'nothing' | 'last' | 'all' | 'hidden';

/** Tokens that are appended to one sequence. */
export interface Part {
  readonly sequence: number;
  readonly tokens: Int32Array;
  readonly want: Wanted;
}

/** Sequences by number, 0 to `count - 1`. One run at a time. */
export interface Sequences {
  readonly count: number;
  /** Positions that each of them has at most. */
  readonly contextSize: number;
  /** Tokens that a run takes at most, over all parts. */
  readonly batch: number;
  /** Positions of a sequence so far. */
  position(sequence: number): number;
  /**
   * Appends all parts in one run; a sequence has at most one part. Results in the order of the parts, f32, row by row;
   * empty where nothing is wanted. A sequence's numbers do not depend on what else is in the run.
   * @throws resources error: more positions than the context size; then nothing was appended.
   */
  run(parts: readonly Part[]): Promise<readonly Float32Array[]>;
  /** Forgets all positions of a sequence from `position` on. */
  rewind(sequence: number, position: number): void;
  /** Makes the first `positions` positions of one sequence those of another, which forgets its own. */
  copy(from: number, to: number, positions: number): void;
  close(): void;
}
