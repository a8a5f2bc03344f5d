/**
 * Time left of a job of many tasks: each has an expected time in advance, which is rescaled by what finished tasks of
 * its kind took, or tasks of all kinds where its own has not begun.
 */

export interface PacedTask {
  readonly id: string;
  /** Tasks of one kind are wrong by the same factor. */
  readonly kind: string;
  /** Seconds on the machine that the constants are from. */
  readonly expected: number;
}

/** Seconds of expectation that measured times must outweigh. */
const TRUST = 1;

interface Tally {
  expected: number;
  actual: number;
}

export class Pace {
  readonly #open = new Map<string, PacedTask>();
  readonly #kinds = new Map<string, Tally>();
  readonly #all: Tally = { expected: 0, actual: 0 };
  #current: { readonly task: PacedTask; fraction: number; seconds: number } | undefined;

  constructor(tasks: readonly PacedTask[]) {
    for (const task of tasks) this.#open.set(task.id, task);
  }

  begin(id: string): void {
    const task = this.#open.get(id);
    this.#open.delete(id);
    this.#current = task && { task, fraction: 0, seconds: 0 };
  }

  /** How far the current task is, 0 to 1, after so many seconds. */
  advance(fraction: number, seconds: number): void {
    if (this.#current) Object.assign(this.#current, { fraction, seconds });
  }

  /** @param seconds undefined: there was nothing to do, so it says nothing of others. */
  finish(seconds: number | undefined): void {
    if (!this.#current) return;
    const { task } = this.#current;
    this.#current = undefined;
    if (seconds !== undefined) this.#add(task, task.expected, seconds);
  }

  /** Share of the whole job that is done, 0 to 1. */
  get done(): number {
    const spent = this.#all.actual + (this.#current?.seconds ?? 0);
    const left = this.secondsLeft;
    return spent + left > 0 ? spent / (spent + left) : 1;
  }

  get secondsLeft(): number {
    const current = this.#current;
    const rest = current
      ? (1 - current.fraction) * current.task.expected * this.#factor(current.task.kind)
      : 0;
    return [...this.#open.values()].reduce(
      (sum, { kind, expected }) => sum + expected * this.#factor(kind),
      rest,
    );
  }

  #add({ kind }: PacedTask, expected: number, actual: number): void {
    const own = this.#kinds.get(kind) ?? { expected: 0, actual: 0 };
    this.#kinds.set(kind, own);
    for (const tally of [own, this.#all]) {
      tally.expected += expected;
      tally.actual += actual;
    }
  }

  /** What a second of expectation takes here. */
  #factor(kind: string): number {
    const current = this.#current;
    const running = current
      ? { expected: current.fraction * current.task.expected, actual: current.seconds }
      : { expected: 0, actual: 0 };
    const overall = ratio(this.#all, running, 1);
    const own = this.#kinds.get(kind) ?? { expected: 0, actual: 0 };
    return current?.task.kind === kind ? ratio(own, running, overall) : ratio(own, undefined, overall);
  }
}

function ratio(tally: Tally, running: Tally | undefined, before: number): number {
  const actual = tally.actual + (running?.actual ?? 0);
  const expected = tally.expected + (running?.expected ?? 0);
  return (actual + TRUST * before) / (expected + TRUST);
}
