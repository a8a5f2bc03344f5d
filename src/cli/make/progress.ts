/** The progress of a whole job: one line on a terminal, else a line a finished step; each step draws into its part. */
import cliProgress from 'cli-progress';
import type { Progress } from '../../core/index.ts';
import { colours, leftText } from '../terminal.ts';
import { Pace, type PacedTask } from './pace.ts';

export interface Task extends PacedTask {
  /** What it is part of: `measure`. Stages are counted: 4/6. */
  readonly stage: string;
  /** What of the stage: `Q4_K_M`. */
  readonly item?: string;
  /** Shares of what it does one after the other, each with a progress of its own. */
  readonly parts?: readonly number[];
}

/** How a task ended; `unchanged`: there was nothing to do. */
export type Ending = 'done' | 'unchanged' | 'failed';

/** A task under way. */
export interface RunningTask {
  readonly progress: Progress;
  /** @param note a few words on the result. */
  finish(how: Ending, note?: string): void;
}

function titleOf({ stage, item }: Task): string {
  return item === undefined ? stage : `${stage} ${item}`;
}

/** The line of a terminal. */
class Bar {
  readonly #bar: cliProgress.SingleBar;
  readonly #stream: NodeJS.WriteStream;
  #shown = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    const format = '{place} {title} [{bar}] {percentage}%  {left}  {note}';
    this.#bar = new cliProgress.SingleBar(
      { format, stream, barsize: 24, hideCursor: true, clearOnComplete: true, linewrap: false },
      cliProgress.Presets.legacy,
    );
  }

  draw(share: number, texts: Readonly<Record<string, string>>): void {
    if (!this.#shown) this.#bar.start(1, share, texts);
    this.#shown = true;
    this.#bar.update(share, texts);
  }

  /** Whole lines above the bar. */
  write(text: string): void {
    this.#stream.write(this.#shown ? `\r\u001b[K${text}` : text);
  }

  stop(): void {
    if (this.#shown) this.#bar.stop();
    this.#shown = false;
  }
}

export interface JobSettings {
  readonly quiet: boolean;
  readonly stream?: NodeJS.WriteStream;
  /** Milliseconds. */
  readonly now?: () => number;
}

export class JobProgress {
  readonly #tasks: readonly Task[];
  readonly #stages: readonly string[];
  readonly #pace: Pace;
  readonly #stream: NodeJS.WriteStream;
  readonly #quiet: boolean;
  readonly #bar: Bar | undefined;
  readonly #now: () => number;
  /** @param tasks all that the job may do, in order. */
  constructor(tasks: readonly Task[], settings: JobSettings) {
    const { quiet, stream = process.stderr, now = () => performance.now() } = settings;
    this.#tasks = tasks;
    this.#stages = [...new Set(tasks.map(({ stage }) => stage))];
    this.#pace = new Pace(tasks);
    this.#stream = stream;
    this.#quiet = quiet;
    this.#bar = stream.isTTY && !quiet ? new Bar(stream) : undefined;
    this.#now = now;
  }

  /**
   * Starts a task; each `start` of its progress is its next part.
   * @param lanes tasks that run beside each other.
   */
  begin(id: string, lanes = 1): RunningTask {
    const task = this.#tasks.find((one) => one.id === id);
    if (!task) throw new Error(`${id} is not a task of the job`);
    const started = this.#now();
    this.#pace.begin(id);
    this.#draw(task, '');
    const { parts = [1] } = task;
    let [part, total] = [-1, 0];
    const share = (upTo: number) => parts.slice(0, upTo).reduce((sum, one) => sum + one, 0);
    return {
      progress: {
        start: (_label, amount) => {
          part = Math.min(part + 1, parts.length - 1);
          total = amount;
        },
        update: (done, note = '') => {
          const within = total > 0 ? Math.min(1, done / total) : 0;
          const fraction = share(Math.max(0, part)) + parts[Math.max(0, part)] * within;
          this.#pace.advance(id, fraction, (this.#now() - started) / 1000 / lanes);
          this.#draw(task, note);
        },
        stop: () => {},
        warn: (message) => this.warn(message),
      },
      finish: (how, note = '') => {
        const seconds = (this.#now() - started) / 1000;
        this.#pace.finish(id, how === 'done' ? seconds / lanes : undefined);
        if (this.#bar || this.#quiet) return;
        const words = [titleOf(task), how === 'done' ? `${seconds.toFixed(1)} s` : how, note];
        this.#stream.write(`${words.filter((text) => text !== '').join('  ')}\n`);
      },
    };
  }

  warn(message: string): void {
    this.#write(`${colours(this.#stream).yellow('warning:')} ${message}\n`);
  }

  stop(): void {
    this.#bar?.stop();
  }

  #write(text: string): void {
    if (this.#bar) this.#bar.write(text);
    else this.#stream.write(text);
  }

  #draw(task: Task, note: string): void {
    if (!this.#bar) return;
    const { done, secondsLeft } = this.#pace;
    this.#bar.draw(done, {
      place: `${this.#stages.indexOf(task.stage) + 1}/${this.#stages.length}`,
      title: titleOf(task),
      left: leftText(secondsLeft),
      note,
    });
  }
}
