/**
 * The steps that measure: the original on the evaluation text, which leaves the base of the divergences, then each quant
 * against it, and the exam of each. A model is opened once for both, on one backend for all.
 */
import path from 'node:path';
import { z } from 'zod';
import { BitmillError, type Progress } from '../../core/index.ts';
import { type KlBase, type Resamples, resample } from '../../evaluate/index.ts';
import { availableThreads } from '../../platform/index.ts';
import { type ExamScore, type QuantEntry, WORK_FOLDER } from '../../report/index.ts';
import type { EngineNeeds } from '../engine.ts';
import { figuresJson } from '../figures.ts';
import { type MeasureOptions, measureEngine, measuringNeeds, withBase } from '../measuring.ts';
import { inStep, keyOf, type MakeContext } from './context.ts';
import { Engines } from './engines.ts';
import { EXAM_SCORE, type ExamPaper, sitExam } from './exam-step.ts';

type Figures = NonNullable<QuantEntry['figures']>;

const FIGURES: z.ZodType<Figures> = z.record(
  z.string(),
  z.union([z.number(), z.null(), z.tuple([z.number().nullable(), z.number().nullable()])]),
);

const MEASURED = z.object({ chunks: z.number(), tokens: z.number(), figures: FIGURES });
export type Measured = z.infer<typeof MEASURED>;

const BASE = path.join(WORK_FOLDER, 'base.gguf');

/** A model to be measured. */
export interface Subject {
  /** `original`, or a quant's type. */
  readonly id: string;
  readonly file: string;
  /** SHA-256 of its files. */
  readonly identity: string;
  readonly bytes: number;
}

export interface Judgement {
  readonly measured?: Measured;
  readonly exam?: ExamScore;
}

/** Bytes of an original whose quants are measured beside each other, on a thread each. */
const SMALL_MODEL = 2 ** 28;

/** Bytes that an engine takes beside the weights, about. */
const WORK_BYTES = 2 ** 29;

/** More models at once would only fill the memory. */
const MOST_LANES = 8;

/** One of the two things that are asked of a model. */
interface Question<R> {
  readonly id: string;
  readonly key: string;
  readonly files: readonly string[];
  readonly result: z.ZodType<R>;
  readonly needs: EngineNeeds;
  readonly answer: (engine: Parameters<typeof measureEngine>[0], progress: Progress) => Promise<R>;
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

export class Measuring {
  readonly #context: MakeContext;
  /** All threads work on one model. */
  readonly #engines: Engines;
  readonly #paper: ExamPaper | undefined;
  /** SHA-256 of the evaluation text. */
  readonly #text: string | undefined;
  readonly #draws = drawOnce();

  constructor(context: MakeContext, text: string | undefined, paper: ExamPaper | undefined) {
    this.#context = context;
    this.#engines = new Engines(context.settings.engine);
    this.#paper = paper;
    this.#text = text;
  }

  /** All models, the original first. A quant that fails is left without results; the others go on. */
  async all(original: Subject, quants: readonly Subject[]): Promise<Map<string, Judgement>> {
    const judged = new Map<string, Judgement>();
    try {
      const baseKey = this.#originalKey(original);
      judged.set(
        original.id,
        await this.#judge(original, this.#originalQuestion(original, baseKey), this.#engines, 1),
      );
      const open = await this.#unmeasured(quants, baseKey);
      const file = open ? path.join(this.#context.settings.output, BASE) : undefined;
      await withBase(file, (base) => this.#quants(original, quants, baseKey, base, judged));
    } finally {
      await this.#engines.close();
    }
    return judged;
  }

  /**
   * Threads wait for each other many times a token, which small models notice: theirs are measured side by side, each on
   * a thread of its own. The numbers are the same.
   */
  async #quants(
    original: Subject,
    quants: readonly Subject[],
    baseKey: string,
    base: KlBase | undefined,
    judged: Map<string, Judgement>,
  ): Promise<void> {
    const waiting = [...quants];
    const count = Math.min(this.#lanes(original), quants.length);
    if (count > 1) await this.#engines.close();
    const lane = async (): Promise<void> => {
      const single = { ...this.#context.settings.engine, threads: '1' };
      const engines = count > 1 ? new Engines(single) : this.#engines;
      try {
        for (let quant = waiting.shift(); quant; quant = waiting.shift()) {
          const question = this.#quantQuestion(quant, baseKey, base);
          judged.set(quant.id, await this.#guarded(quant, question, engines, count));
        }
      } catch (error) {
        waiting.length = 0;
        throw error;
      } finally {
        if (count > 1) await engines.close();
      }
    };
    const ended = await Promise.allSettled(Array.from({ length: count }, lane));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }

  #lanes({ bytes }: Subject): number {
    const { threads = availableThreads(), memory = Number.POSITIVE_INFINITY } = this.#context.settings;
    if (bytes > SMALL_MODEL) return 1;
    return Math.max(1, Math.min(threads, MOST_LANES, Math.floor(memory / (bytes + WORK_BYTES))));
  }

  #originalKey({ identity }: Subject): string {
    const { contextSize, evaluation, evaluationChunks } = this.#context.settings;
    const text = [
      path.basename(evaluation?.file ?? ''),
      this.#text ?? null,
      evaluation?.parseSpecial ?? false,
    ];
    return keyOf('measure:original', identity, text, contextSize, evaluationChunks);
  }

  #quantKey(quant: Subject, baseKey: string): string {
    return keyOf('measure', quant.identity, baseKey);
  }

  /** Whether the base is needed. */
  async #unmeasured(quants: readonly Subject[], baseKey: string): Promise<boolean> {
    if (this.#text === undefined) return false;
    for (const quant of quants) {
      if (!(await this.#context.journal.standing(`measure:${quant.id}`, this.#quantKey(quant, baseKey)))) {
        return true;
      }
    }
    return false;
  }

  #options(subject: Subject, extra: Partial<MeasureOptions>): MeasureOptions {
    const { engine, contextSize, evaluation, evaluationChunks, evaluationChunksAsked } =
      this.#context.settings;
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

  #originalQuestion(original: Subject, key: string): Question<Measured> | undefined {
    const { evaluation, output } = this.#context.settings;
    if (!evaluation) return undefined;
    const text = { file: evaluation.file, kind: 'text' } as const;
    const save = { file: path.join(output, BASE), form: 'bitmill' } as const;
    return this.#measureQuestion(original, key, [BASE], { text, save }, undefined);
  }

  #quantQuestion(quant: Subject, baseKey: string, base: KlBase | undefined): Question<Measured> | undefined {
    if (this.#text === undefined) return undefined;
    return this.#measureQuestion(quant, this.#quantKey(quant, baseKey), [], {}, base);
  }

  #examQuestion({ id, identity }: Subject): Question<ExamScore> | undefined {
    const paper = this.#paper;
    if (!paper) return undefined;
    const contextSize = Math.max(this.#context.settings.contextSize, paper.contextSize);
    return {
      id: `exam:${id}`,
      key: keyOf('exam', identity, paper.sha256, contextSize),
      files: [],
      result: EXAM_SCORE,
      needs: { contextSize },
      answer: (engine, progress) => sitExam(engine, paper, progress),
    };
  }

  async #guarded(
    quant: Subject,
    question: Question<Measured> | undefined,
    engines: Engines,
    lanes: number,
  ): Promise<Judgement> {
    const { failures, progress } = this.#context;
    try {
      return await this.#judge(quant, question, engines, lanes);
    } catch (error) {
      if (!(error instanceof BitmillError)) throw error;
      failures.push(error);
      progress.warn(error.message);
      return {};
    }
  }

  /** Asks what is not known yet. */
  async #judge(
    subject: Subject,
    measure: Question<Measured> | undefined,
    engines: Engines,
    lanes: number,
  ): Promise<Judgement> {
    const own = this.#context.progress.begin(`measure:${subject.id}`, lanes);
    const exam = this.#examQuestion(subject);
    try {
      const measured = measure && (await this.#known(measure));
      const score = exam && (await this.#known(exam));
      const open = { measure: measured ? undefined : measure, exam: score ? undefined : exam };
      const asked = await this.#ask(subject, open.measure, open.exam, engines, own.progress);
      const judgement = {
        ...pick('measured', measured ?? asked.measured),
        ...pick('exam', score ?? asked.score),
      };
      own.finish(open.measure || open.exam ? 'done' : 'unchanged', noteOf(judgement));
      return judgement;
    } catch (error) {
      own.finish('failed');
      throw inStep(`measure ${subject.id}`, error);
    }
  }

  async #known<R>({ id, key, result }: Question<R>): Promise<R | undefined> {
    const found = await this.#context.journal.standing(id, key);
    const parsed = found && result.safeParse(found.result);
    return parsed?.success ? parsed.data : undefined;
  }

  /** Both in one engine where they want the same of it. */
  async #ask(
    { file }: Subject,
    measure: Question<Measured> | undefined,
    exam: Question<ExamScore> | undefined,
    engines: Engines,
    progress: Progress,
  ): Promise<{ measured?: Measured; score?: ExamScore }> {
    if (measure && exam && measure.needs.contextSize === exam.needs.contextSize) {
      return engines.open(file, measure.needs, async (engine) => ({
        measured: await this.#answer(measure, engine, progress),
        score: await this.#answer(exam, engine, progress),
      }));
    }
    const one = <R>(question: Question<R>): Promise<R> =>
      engines.open(file, question.needs, (engine) => this.#answer(question, engine, progress));
    return {
      ...(measure ? { measured: await one(measure) } : {}),
      ...(exam ? { score: await one(exam) } : {}),
    };
  }

  async #answer<R>(
    { id, key, files, answer }: Question<R>,
    engine: Parameters<typeof measureEngine>[0],
    progress: Progress,
  ): Promise<R> {
    const started = performance.now();
    const result = await answer(engine, progress);
    await this.#context.journal.record(id, key, files, result, (performance.now() - started) / 1000);
    return result;
  }
}

function pick<Name extends string, V>(name: Name, value: V | undefined): { readonly [key in Name]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [key in Name]?: V };
}

function noteOf({ measured, exam }: Judgement): string {
  const figure = (name: string) => {
    const value = measured?.figures[name];
    return typeof value === 'number' ? value : undefined;
  };
  const [ppl, kld] = [figure('ppl'), figure('kld_mean')];
  return [
    ...(ppl === undefined ? [] : [`PPL ${ppl.toFixed(4)}`]),
    ...(kld === undefined ? [] : [`KL ${kld.toPrecision(4)}`]),
    ...(exam ? [`exam ${((100 * exam.right) / exam.total).toFixed(1)} %`] : []),
  ].join(', ');
}
