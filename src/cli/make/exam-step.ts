/** Exams of the models of a set. */
import path from 'node:path';
import { z } from 'zod';
import type { Progress } from '../../core/index.ts';
import { type Exam, examContext, readExam, takeExam } from '../../evaluate/index.ts';
import type { Engine } from '../../generate/index.ts';
import type { ExamScore } from '../../report/index.ts';
import { withGguf } from '../gguf.ts';
import { readTextFile } from '../texts.ts';

const score = z.object({ right: z.number(), total: z.number() });

/** What is kept of an exam. */
export const EXAM_SCORE: z.ZodType<ExamScore> = score.extend({ categories: z.record(z.string(), score) });

/** An exam and what it needs. */
export interface ExamPaper {
  readonly exam: Exam;
  readonly sha256: string;
  /** Positions of the longest question and its answer. */
  readonly contextSize: number;
}

/** @param model any of the set: they share vocabulary and template. */
export async function openExam(file: string, sha256: string, model: string): Promise<ExamPaper> {
  const exam = readExam(await readTextFile(file), path.basename(file));
  return withGguf(model, async (opened) => ({ exam, sha256, contextSize: examContext(opened, exam) }));
}

export async function sitExam(engine: Engine, { exam }: ExamPaper, progress: Progress): Promise<ExamScore> {
  progress.start('exam', 1, 'tokens');
  const { right, total, categories } = await takeExam(engine, exam, {
    progress: (done, all) => progress.update(done / all, 'exam'),
  });
  return { right, total, categories: { ...categories } };
}
