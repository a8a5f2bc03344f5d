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

/** How a task ended: what it took, or why it took nothing. */
export type Ending = { readonly seconds: number } | 'unchanged' | 'failed';

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
  #current: { readonly task: Task; readonly started: number; note: string } | undefined;

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

  /** Starts a task. @returns where it tells its progress; each `start` is its next part. */
  begin(id: string): Progress {
    const task = this.#tasks.find((one) => one.id === id);
    if (!task) throw new Error(`${id} is not a task of the job`);
    this.#current = { task, started: this.#now(), note: '' };
    this.#pace.begin(id);
    this.#draw();
    const { parts = [1] } = task;
    let [part, total] = [-1, 0];
    const share = (upTo: number) => parts.slice(0, upTo).reduce((sum, one) => sum + one, 0);
    return {
      start: (_label, amount) => {
        part = Math.min(part + 1, parts.length - 1);
        total = amount;
      },
      update: (done, note = '') => {
        const within = total > 0 ? Math.min(1, done / total) : 0;
        this.#advance(task, share(Math.max(0, part)) + parts[Math.max(0, part)] * within, note);
      },
      stop: () => {},
      warn: (message) => this.warn(message),
    };
  }

  /** @param note a few words on the result. */
  finish(ending: Ending, note = ''): void {
    if (!this.#current) return;
    const { task } = this.#current;
    const seconds = typeof ending === 'object' ? ending.seconds : undefined;
    this.#pace.finish(seconds);
    this.#current = undefined;
    const word = seconds === undefined ? String(ending) : `${seconds.toFixed(1)} s`;
    if (this.#bar || this.#quiet) return;
    this.#stream.write(`${[titleOf(task), word, note].filter((text) => text !== '').join('  ')}\n`);
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

  #advance(task: Task, fraction: number, note: string): void {
    if (this.#current?.task !== task) return;
    this.#current.note = note;
    this.#pace.advance(fraction, (this.#now() - this.#current.started) / 1000);
    this.#draw();
  }

  #draw(): void {
    if (!this.#bar || !this.#current) return;
    const { task, note } = this.#current;
    const { done, secondsLeft } = this.#pace;
    this.#bar.draw(done, {
      place: `${this.#stages.indexOf(task.stage) + 1}/${this.#stages.length}`,
      title: titleOf(task),
      left: leftText(secondsLeft),
      note,
    });
  }
}
