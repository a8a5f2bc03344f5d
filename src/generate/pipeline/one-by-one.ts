/** The plainest service: requests are answered one after the other on a single sequence. */
import { readF32 } from '../../backends/index.ts';
import { BitmillError, usageError } from '../../core/index.ts';
import { type ChatTemplate, chatTemplateOf, type Tokenizer, tokenizerOf } from '../../text/index.ts';
import { type AnswerEnd, Conversation } from '../conversation.ts';
import type { Engine } from '../engine.ts';
import type { GeneratedToken } from '../generation.ts';
import type { ModelService, Pooling, RequestOptions, ServiceStats } from '../serving/index.ts';
import { Session } from '../session.ts';
import { walk } from '../walk.ts';

class OneByOne implements ModelService {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate | undefined;
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #conversation: Conversation;
  readonly #stop = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  #waiting = 0;
  #counts = { promptTokens: 0, reusedTokens: 0, generatedTokens: 0, runs: 0, runTokens: 0 };

  constructor(engine: Engine, session: Session, tokenizer: Tokenizer, template: ChatTemplate | undefined) {
    this.#engine = engine;
    this.#session = session;
    this.tokenizer = tokenizer;
    this.template = template;
    this.#conversation = new Conversation(session, tokenizer, template as ChatTemplate);
  }

  get contextSize(): number {
    return this.#engine.contextSize;
  }

  get width(): number {
    return this.#engine.model.hyper.width;
  }

  async *answer(ids: Int32Array, options: RequestOptions = {}): AsyncGenerator<GeneratedToken, AnswerEnd> {
    const done = await this.#turn();
    try {
      const stop = this.#stop.signal;
      const signal = options.signal ? AbortSignal.any([options.signal, stop]) : stop;
      return yield* this.#conversation.answer(ids, { ...options, signal });
    } finally {
      done();
    }
  }

  async embed(
    ids: Int32Array,
    { pooling = 'mean' }: { readonly pooling?: Pooling } = {},
  ): Promise<Float32Array> {
    const done = await this.#turn();
    try {
      return unit(pool(await this.#states(ids), this.width, pooling));
    } finally {
      done();
    }
  }

  stats(): ServiceStats {
    return {
      slots: 1,
      active: Math.min(1, this.#waiting),
      waiting: Math.max(0, this.#waiting - 1),
      ...this.#counts,
    };
  }

  async drain(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.drain();
    this.#session.close();
  }

  /** Resolves when nobody is before; what it resolves to lets the next one in. */
  async #turn(): Promise<() => void> {
    if (this.#closed) throw usageError('the model is closed');
    const before = this.#last;
    let done = () => {};
    this.#waiting++;
    this.#last = new Promise<void>((resolve) => {
      done = () => {
        this.#waiting--;
        resolve();
      };
    });
    await before;
    return done;
  }

  /** Normalized final states f32 [T, E]. */
  async #states(ids: Int32Array): Promise<Float32Array> {
    if (ids.length > this.contextSize) {
      throw new BitmillError(
        'resources',
        `${ids.length} tokens do not fit the context of ${this.contextSize}`,
      );
    }
    const states = new Float32Array(ids.length * this.width);
    await walk(this.#engine, {
      chunks: [ids],
      select: () => ({ from: 0, to: ids.length }),
      finish: async ({ final, rows }) => {
        const some = await readF32(this.#engine.backend, final, (rows.to - rows.from) * this.width);
        states.set(some, rows.from * this.width);
      },
    });
    return states;
  }
}

function pool(states: Float32Array, width: number, pooling: Pooling): Float32Array {
  if (pooling === 'last') return states.slice(-width);
  const mean = new Float32Array(width);
  const rows = states.length / width;
  for (const [i, value] of states.entries()) mean[i % width] += value / rows;
  return mean;
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}

/** @param engine is the caller's to close. */
export async function oneByOne(engine: Engine): Promise<ModelService> {
  const { file } = engine.model;
  const tokenizer = tokenizerOf(file);
  const template = file.metadata.has('tokenizer.chat_template') ? chatTemplateOf(file, tokenizer) : undefined;
  return new OneByOne(engine, await Session.open(engine), tokenizer, template);
}
