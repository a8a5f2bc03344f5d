/**
 * The steps that measure: the original on the evaluation text, which leaves the base of the divergences, then each quant
 * against it, and the exam of each. A model is opened once for both, on one backend for all.
 */
import path from 'node:path';
import { BitmillError, type Progress } from '../../core/index.ts';
import type { KlBase } from '../../evaluate/index.ts';
import type { Engine } from '../../generate/index.ts';
import { availableThreads } from '../../platform/index.ts';
import type { ExamScore } from '../../report/index.ts';
import { withBase } from '../measuring.ts';
import { inStep, type MakeContext } from './context.ts';
import { Engines } from './engines.ts';
import type { ExamPaper } from './exam-step.ts';
import { BASE, type Measured, type Question, Questions, type Subject } from './questions.ts';

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

export class Measuring {
  readonly #context: MakeContext;
  /** All threads work on one model. */
  readonly #engines: Engines;
  readonly #questions: Questions;

  /** @param text SHA-256 of the evaluation text. */
  constructor(context: MakeContext, text: string | undefined, paper: ExamPaper | undefined) {
    this.#context = context;
    this.#engines = new Engines(context.settings.engine);
    this.#questions = new Questions(context.settings, text, paper);
  }

  /** All models, the original first. A quant that fails is left without results; the others go on. */
  async all(original: Subject, quants: readonly Subject[]): Promise<Map<string, Judgement>> {
    const judged = new Map<string, Judgement>();
    try {
      const baseKey = this.#questions.originalKey(original);
      judged.set(
        original.id,
        await this.#judge(original, this.#questions.original(original, baseKey), this.#engines, 1),
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
          const question = this.#questions.quant(quant, baseKey, base);
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

  /** Whether the base is needed. */
  async #unmeasured(quants: readonly Subject[], baseKey: string): Promise<boolean> {
    if (!this.#context.settings.evaluation) return false;
    for (const quant of quants) {
      if (
        !(await this.#context.journal.standing(
          `measure:${quant.id}`,
          this.#questions.quantKey(quant, baseKey),
        ))
      ) {
        return true;
      }
    }
    return false;
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
    const exam = this.#questions.exam(subject);
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

  async #answer<R>({ id, key, files, answer }: Question<R>, engine: Engine, progress: Progress): Promise<R> {
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
