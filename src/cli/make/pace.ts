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

/** A task under way: how far it is, 0 to 1, and what it took so far. */
interface Running {
  readonly task: PacedTask;
  fraction: number;
  seconds: number;
}

export class Pace {
  readonly #open = new Map<string, PacedTask>();
  readonly #running = new Map<string, Running>();
  readonly #kinds = new Map<string, Tally>();
  readonly #all: Tally = { expected: 0, actual: 0 };

  constructor(tasks: readonly PacedTask[]) {
    for (const task of tasks) this.#open.set(task.id, task);
  }

  begin(id: string): void {
    const task = this.#open.get(id);
    this.#open.delete(id);
    if (task) this.#running.set(id, { task, fraction: 0, seconds: 0 });
  }

  /** @param seconds of the whole machine: where tasks run beside each other, each takes its share. */
  advance(id: string, fraction: number, seconds: number): void {
    const running = this.#running.get(id);
    if (running) Object.assign(running, { fraction, seconds });
  }

  /** @param seconds as in `advance`; undefined: there was nothing to do, so it says nothing of others. */
  finish(id: string, seconds: number | undefined): void {
    const running = this.#running.get(id);
    this.#running.delete(id);
    if (!running || seconds === undefined) return;
    const { kind, expected } = running.task;
    const own = this.#kinds.get(kind) ?? { expected: 0, actual: 0 };
    this.#kinds.set(kind, own);
    for (const tally of [own, this.#all]) {
      tally.expected += expected;
      tally.actual += seconds;
    }
  }

  /** Share of the whole job that is done, 0 to 1. */
  get done(): number {
    const spent = [...this.#running.values()].reduce((sum, { seconds }) => sum + seconds, this.#all.actual);
    const left = this.secondsLeft;
    return spent + left > 0 ? spent / (spent + left) : 1;
  }

  get secondsLeft(): number {
    const rest = [...this.#running.values()].map(({ task, fraction }) => ({
      kind: task.kind,
      expected: (1 - fraction) * task.expected,
    }));
    return [...rest, ...this.#open.values()].reduce(
      (sum, { kind, expected }) => sum + expected * this.#factor(kind),
      0,
    );
  }

  /** What a second of expectation takes here: by tasks of the kind, and as long as these say little, by all. */
  #factor(kind: string): number {
    const running = [...this.#running.values()];
    const own = this.#kinds.get(kind) ?? { expected: 0, actual: 0 };
    const overall = ratio(this.#all, running, 1);
    return ratio(
      own,
      running.filter(({ task }) => task.kind === kind),
      overall,
    );
  }
}

function ratio(tally: Tally, running: readonly Running[], before: number): number {
  const actual = running.reduce((sum, { seconds }) => sum + seconds, tally.actual);
  const expected = running.reduce(
    (sum, { task, fraction }) => sum + fraction * task.expected,
    tally.expected,
  );
  return (actual + TRUST * before) / (expected + TRUST);
}
