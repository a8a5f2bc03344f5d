/** What all steps of a job share, and how one step is run. */
import type { z } from 'zod';
import { BitmillError, type Executor, type Progress } from '../../core/index.ts';
import { workerPool } from '../../platform/index.ts';
import { VERSION } from '../version.ts';
import type { JobProgress } from './progress.ts';
import type { MakeSettings } from './settings.ts';
import { type StepJournal, type StepRecord, stepKey } from './steps.ts';

export interface MakeContext {
  readonly settings: MakeSettings;
  readonly journal: StepJournal;
  readonly progress: JobProgress;
  /** Types that failed, and why; the others go on. */
  readonly failures: BitmillError[];
}

/** Workers for the length of a step: what they hold goes with them. */
export async function withPool<T>(
  { settings }: Pick<MakeContext, 'settings'>,
  use: (executor: Executor) => Promise<T>,
): Promise<T> {
  const executor = workerPool(settings.threads);
  try {
    return await use(executor);
  } finally {
    await executor.close();
  }
}

/** The same error, with the step that it stopped. */
export function inStep(step: string, error: unknown): unknown {
  if (!(error instanceof BitmillError)) return error;
  return new BitmillError(error.kind, `${step}: ${error.message}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

/** A key that changes with the program, too. */
export function keyOf(id: string, ...depends: readonly unknown[]): string {
  return stepKey(VERSION, id, ...depends);
}

export interface Step<R> {
  /** Also its task of the progress. */
  readonly id: string;
  readonly depends: readonly unknown[];
  /** Outputs by their names in the folder. */
  readonly files: (result: R) => readonly string[];
  readonly result: z.ZodType<R>;
  readonly work: (progress: Progress) => Promise<R>;
  /** A few words on the result, for the line of the step. */
  readonly note?: (result: R) => string;
}

export interface StepDone<R> {
  readonly key: string;
  readonly record: StepRecord;
  readonly result: R;
}

/** Runs a step unless it is done. @throws what its work throws, with the step's name. */
export async function runStep<R>(
  { journal, progress }: MakeContext,
  { id, depends, files, result, work, note = () => '' }: Step<R>,
): Promise<StepDone<R>> {
  const key = keyOf(id, ...depends);
  const own = progress.begin(id);
  const standing = await journal.standing(id, key);
  const before = standing && result.safeParse(standing.result);
  if (standing && before?.success) {
    own.finish('unchanged');
    return { key, record: standing, result: before.data };
  }
  const started = performance.now();
  try {
    const made = await work(own.progress);
    const seconds = (performance.now() - started) / 1000;
    const record = await journal.record(id, key, files(made), made, seconds);
    own.finish('done', note(made));
    return { key, record, result: made };
  } catch (error) {
    own.finish('failed');
    throw inStep(id, error);
  }
}
