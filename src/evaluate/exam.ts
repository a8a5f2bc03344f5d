/**
 * Exams: does a model still know the right answers? An answer is right if greedy decoding, the lowest id of equals,
 * would say just these tokens and then end the turn. Nothing is generated to find out: a model that is right so far has
 * seen the right answer so far, so one walk over question and answer tells at each token whether it is the most likely.
 * An answer in other tokens than the tokenizer's (`1` `2` for `12`) does not count, though it reads the same.
 */
import { inputError } from '../core/index.ts';
import {
  type Engine,
  findNonFinite,
  type HeadResult,
  LossMeter,
  walk,
  walkLength,
} from '../generate/index.ts';
import { checkTokens } from './base.ts';
import { type AskedQuestion, askedQuestions, seenTokens } from './exam-chat.ts';
import type { Exam } from './exam-questions.ts';

/** Right answers. */
export interface ExamTally {
  readonly right: number;
  readonly total: number;
}

export interface ExamAnswer {
  readonly right: boolean;
  /** Index in the answer's tokens of the first that the model would not say; undefined: right. */
  readonly wrongAt: number | undefined;
  /** What it would say there instead. */
  readonly wrongToken: number | undefined;
}

export interface ExamResult extends ExamTally {
  /** In the order of first appearance. */
  readonly categories: Readonly<Record<string, ExamTally>>;
  /** One a question, in order. */
  readonly answers: readonly ExamAnswer[];
}

export interface ExamOptions {
  /** Told how many of the exam's tokens are through. */
  readonly progress?: (done: number, total: number) => void;
}

const RIGHT: ExamAnswer = { right: true, wrongAt: undefined, wrongToken: undefined };

/** Gathers what the model would say, question by question. */
class Marking {
  readonly answers: ExamAnswer[];
  readonly #engine: Engine;
  readonly #asked: readonly AskedQuestion[];
  readonly #place: (chunk: number) => string;
  readonly #meter: LossMeter;

  constructor(engine: Engine, asked: readonly AskedQuestion[], place: (chunk: number) => string) {
    this.answers = asked.map(() => RIGHT);
    this.#engine = engine;
    this.#asked = asked;
    this.#place = place;
    this.#meter = new LossMeter(engine);
  }

  async finish(head: HeadResult): Promise<void> {
    const { chunk, rows } = head;
    const { prompt, answer } = this.#asked[chunk];
    const first = rows.from - (prompt.length - 1);
    const expected = answer.slice(first, first + rows.to - rows.from);
    const { nll, top } = await this.#meter.predictions(head, expected);
    const bad = nll.findIndex(Number.isNaN);
    if (bad >= 0) await this.#fail(chunk, rows.from + bad);
    const wrong = expected.findIndex((id, i) => top[i] !== id);
    // A long answer comes in parts; the first wrong token is the one that counts.
    if (wrong < 0 || !this.answers[chunk].right) return;
    this.answers[chunk] = { right: false, wrongAt: first + wrong, wrongToken: top[wrong] };
  }

  close(): void {
    this.#meter.close();
  }

  async #fail(chunk: number, token: number): Promise<never> {
    await findNonFinite(this.#engine, [seenTokens(this.#asked[chunk])]);
    throw inputError(
      this.#engine.model.file.name,
      `the logits of token ${token} of ${this.#place(chunk)} are not finite`,
      'a weight is NaN or infinite: convert the checkpoint again',
    );
  }
}

function tally(exam: Exam, answers: readonly ExamAnswer[]): ExamResult {
  const categories = new Map<string, { right: number; total: number }>();
  for (const [i, { category }] of exam.questions.entries()) {
    const score = categories.get(category) ?? { right: 0, total: 0 };
    categories.set(category, score);
    score.total++;
    if (answers[i].right) score.right++;
  }
  const right = answers.filter((answer) => answer.right).length;
  return { right, total: answers.length, categories: Object.fromEntries(categories), answers };
}

/**
 * Lets a model sit an exam. Models that do not fit the engine's memory are streamed.
 * @throws input error: no chat template, a question that does not fit the engine's context (`examContext` says what is
 * needed), logits that are not finite.
 */
export async function takeExam(engine: Engine, exam: Exam, options: ExamOptions = {}): Promise<ExamResult> {
  const asked = askedQuestions(engine.model.file, exam);
  const place = (chunk: number): string => `${exam.place}:${exam.questions[chunk].line}`;
  const chunks = asked.map(seenTokens);
  for (const [i, { length }] of chunks.entries()) {
    checkTokens(asked[i].answer, engine.model.hyper.vocabulary, place(i));
    checkTokens(chunks[i], engine.model.hyper.vocabulary, place(i));
    if (length <= engine.contextSize) continue;
    throw inputError(place(i), `takes ${length} tokens; the context has ${engine.contextSize}`);
  }
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  const perToken = walkLength(engine, chunks) / total;
  const marking = new Marking(engine, asked, place);
  try {
    await walk(engine, {
      chunks,
      select: (chunk) => ({ from: asked[chunk].prompt.length - 1, to: chunks[chunk].length }),
      finish: (head) => marking.finish(head),
      progress: (steps) => options.progress?.(Math.floor(steps / perToken), total),
    });
  } finally {
    marking.close();
  }
  return tally(exam, marking.answers);
}
