/** What is asked of a model: how well it predicts a text, how far it is from the original, what it knows in an exam. */
import path from 'node:path';
import { z } from 'zod';
import type { Progress } from '../../core/index.ts';
import { type KlBase, type Resamples, resample } from '../../evaluate/index.ts';
import type { Engine } from '../../generate/index.ts';
import { type ExamScore, type QuantEntry, WORK_FOLDER } from '../../report/index.ts';
import type { EngineNeeds } from '../engine.ts';
import { figuresJson } from '../figures.ts';
import { type MeasureOptions, measureEngine, measuringNeeds } from '../measuring.ts';
import { keyOf } from './context.ts';
import { EXAM_SCORE, type ExamPaper, sitExam } from './exam-step.ts';
import type { MakeSettings } from './settings.ts';

type Figures = NonNullable<QuantEntry['figures']>;

const FIGURES: z.ZodType<Figures> = z.record(
  z.string(),
  z.union([z.number(), z.null(), z.tuple([z.number().nullable(), z.number().nullable()])]),
);

const MEASURED = z.object({ chunks: z.number(), tokens: z.number(), figures: FIGURES });
export type Measured = z.infer<typeof MEASURED>;

/** The base of the divergences, in the folder of the set. */
export const BASE = path.join(WORK_FOLDER, 'base.gguf');

/** A model to be measured. */
export interface Subject {
  /** `original`, or a quant's type. */
  readonly id: string;
  readonly file: string;
  /** SHA-256 of its files. */
  readonly identity: string;
  readonly bytes: number;
}

/** One of the two things that are asked of a model. */
export interface Question<R> {
  readonly id: string;
  readonly key: string;
  readonly files: readonly string[];
  readonly result: z.ZodType<R>;
  readonly needs: EngineNeeds;
  readonly answer: (engine: Engine, progress: Progress) => Promise<R>;
}

/** Same draws for all models with so many chunks. */
function drawOnce(): (chunks: number) => Resamples {
  const drawn = new Map<number, Resamples>();
  return (chunks) => {
    const draws = drawn.get(chunks) ?? resample(chunks);
    drawn.set(chunks, draws);
    return draws;
  };
}

export class Questions {
  readonly #settings: MakeSettings;
  /** SHA-256 of the evaluation text. */
  readonly #text: string | undefined;
  readonly #paper: ExamPaper | undefined;
  readonly #draws = drawOnce();

  constructor(settings: MakeSettings, text: string | undefined, paper: ExamPaper | undefined) {
    this.#settings = settings;
    this.#text = text;
    this.#paper = paper;
  }

  /** Of what is known of the original: what quants are measured against depends on it. */
  originalKey({ identity }: Subject): string {
    const { contextSize, evaluation, evaluationChunks, computed } = this.#settings;
    const text = [
      path.basename(evaluation?.file ?? ''),
      this.#text ?? null,
      evaluation?.parseSpecial ?? false,
    ];
    return keyOf('measure:original', identity, text, contextSize, evaluationChunks, computed);
  }

  quantKey(quant: Subject, baseKey: string): string {
    return keyOf('measure', quant.identity, baseKey);
  }

  #options(subject: Subject, extra: Partial<MeasureOptions>): MeasureOptions {
    const { engine, contextSize, evaluation, evaluationChunks, evaluationChunksAsked } = this.#settings;
    return {
      engine: { ...engine, model: subject.file },
      text: undefined,
      parseSpecial: evaluation?.parseSpecial ?? false,
      contextSize,
      stride: undefined,
      limit: evaluationChunks,
      limitIsDefault: !evaluationChunksAsked,
      save: undefined,
      quiet: true,
      echo: false,
      ...extra,
    };
  }

  #measureQuestion(
    subject: Subject,
    key: string,
    files: readonly string[],
    options: Partial<MeasureOptions>,
    base: KlBase | undefined,
  ): Question<Measured> {
    const needs = measuringNeeds(this.#options(subject, options), base);
    return {
      id: `measure:${subject.id}`,
      ...{ key, files, needs },
      result: MEASURED,
      answer: async (engine, progress) => {
        // What there is to warn of, the original's run has said.
        const heard = base ? { ...progress, warn: () => {} } : progress;
        const all = this.#options(subject, { ...options, progress: heard });
        const { measurement, occasion } = await measureEngine(engine, all, base, this.#draws);
        const { summary } = measurement;
        return {
          chunks: occasion.chunks,
          tokens: summary.scores.nll.length,
          figures: figuresJson(summary),
        };
      },
    };
  }

  original(original: Subject, key: string): Question<Measured> | undefined {
    const { evaluation, output } = this.#settings;
    if (!evaluation) return undefined;
    const text = { file: evaluation.file, kind: 'text' } as const;
    const save = { file: path.join(output, BASE), form: 'bitmill' } as const;
    return this.#measureQuestion(original, key, [BASE], { text, save }, undefined);
  }

  quant(quant: Subject, baseKey: string, base: KlBase | undefined): Question<Measured> | undefined {
    if (this.#text === undefined) return undefined;
    return this.#measureQuestion(quant, this.quantKey(quant, baseKey), [], {}, base);
  }

  exam({ id, identity }: Subject): Question<ExamScore> | undefined {
    const paper = this.#paper;
    if (!paper) return undefined;
    const contextSize = Math.max(this.#settings.contextSize, paper.contextSize);
    return {
      id: `exam:${id}`,
      key: keyOf('exam', identity, paper.sha256, contextSize, this.#settings.computed),
      files: [],
      result: EXAM_SCORE,
      needs: { contextSize },
      answer: (engine, progress) => sitExam(engine, paper, progress),
    };
  }
}
