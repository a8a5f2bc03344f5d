/** A service over sequences: takes requests in, gives each a slot, and answers in it. */
import { BitmillError, usageError } from '../../core/index.ts';
import type { ChatTemplate, Tokenizer } from '../../text/index.ts';
import type { AnswerEnd } from '../conversation.ts';
import { type GeneratedToken, type GrowingSession, generate } from '../generation.ts';
import { checkSampling, GREEDY } from '../sampling/index.ts';
import type { Sequences } from '../sequences.ts';
import { Batcher } from './batcher.ts';
import { Gate } from './gate.ts';
import { embedIn, LOOKS_BACK, scoreIn } from './passes.ts';
import type {
  ModelService,
  PassOptions,
  Pooling,
  RequestOptions,
  ScoredToken,
  ServiceStats,
} from './service.ts';
import { Slot } from './slot.ts';
import { Slots } from './slots.ts';
import { Leash, Stopped } from './stopped.ts';

export interface ServiceParts {
  /** The service's from now on: one slot each. */
  readonly sequences: Sequences;
  readonly tokenizer: Tokenizer;
  readonly template?: ChatTemplate | undefined;
  /** Width E of the final states. */
  readonly width: number;
  /** Requests that wait at most, beside those that are answered. */
  readonly queue: number;
  /** Services with the same gate never run at the same time: for models that share the cores. Default: one of its own. */
  readonly gate?: Gate;
}

type Answer = AsyncGenerator<GeneratedToken, AnswerEnd>;

/** One client for all who do not say who they are. */
const ANYBODY = '';

class Service implements ModelService {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate | undefined;
  readonly width: number;
  readonly #sequences: Sequences;
  readonly #batcher: Batcher;
  readonly #slots: Slots;
  readonly #leashes = new Set<Leash>();
  readonly #counts = { promptTokens: 0, reusedTokens: 0, generatedTokens: 0 };
  #takesMore = true;
  #drained: (() => void)[] = [];
  #closed: Promise<void> | undefined;

  constructor({ sequences, tokenizer, template, width, queue, gate = new Gate() }: ServiceParts) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.width = width;
    this.#sequences = sequences;
    const batcher = new Batcher(sequences, gate);
    this.#batcher = batcher;
    const slots = Array.from({ length: sequences.count }, (_, i) => new Slot(i, sequences, batcher));
    this.#slots = new Slots(slots, queue);
  }

  get contextSize(): number {
    return this.#sequences.contextSize;
  }

  answer(ids: Int32Array, options: RequestOptions = {}): Answer {
    const leash = new Leash();
    const answer = this.#answer(ids, options, leash);
    // A generator's own `return` waits for the token that is under way; the leash ends that.
    return {
      next: () => answer.next(),
      return: (end) => {
        leash.stop();
        return answer.return(end);
      },
      throw: (error) => {
        leash.stop();
        return answer.throw(error);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    } as Answer;
  }

  embed(
    ids: Int32Array,
    {
      pooling = 'mean',
      normalize = true,
      ...options
    }: PassOptions & { pooling?: Pooling; normalize?: boolean } = {},
  ) {
    const whole = LOOKS_BACK[pooling];
    return this.#pass(ids, { ...options, whole }, (slot, signal) =>
      embedIn(slot, ids, { pooling, normalize }, signal),
    );
  }

  score(
    ids: Int32Array,
    { top = 0, ...options }: PassOptions & { top?: number } = {},
  ): Promise<readonly ScoredToken[]> {
    return this.#pass(ids, { ...options, whole: true }, (slot, signal) => scoreIn(slot, ids, top, signal));
  }

  stats(): ServiceStats {
    const { count, active, waiting } = this.#slots;
    const { runs, runTokens } = this.#batcher;
    return { slots: count, active, waiting, ...this.#counts, runs, runTokens };
  }

  drain(): Promise<void> {
    this.#takesMore = false;
    return new Promise((resolve) => {
      if (this.#leashes.size === 0) resolve();
      else this.#drained.push(resolve);
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#takesMore = false;
    for (const leash of this.#leashes) leash.stop();
    await this.#batcher.close();
    this.#sequences.close();
  }

  async *#answer(ids: Int32Array, options: RequestOptions, leash: Leash): Answer {
    checkSampling({ ...GREEDY, ...options });
    const done = this.#enter(ids, leash, options.signal);
    const counts = { promptTokens: ids.length, reusedTokens: 0 };
    let tokens = 0;
    let slot: Slot | undefined;
    try {
      slot = await this.#slots.take({ ids, client: options.client ?? ANYBODY, signal: leash.signal });
      await this.#slots.share(slot, ids, leash.signal);
      counts.reusedTokens = slot.position;
      this.#counts.reusedTokens += slot.position;
      const generation = generate(
        this.#session(slot, options, leash.signal),
        this.tokenizer,
        ids.slice(slot.position),
        {
          ...options,
          held: ids.subarray(0, slot.position),
          signal: leash.signal,
        },
      );
      for (;;) {
        const { value, done } = await generation.next();
        if (done) return { ...value, ...counts };
        tokens++;
        this.#counts.generatedTokens++;
        yield value;
      }
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      return { reason: 'aborted', tokens, text: '', ...counts };
    } finally {
      if (slot) this.#slots.release(slot);
      done();
    }
  }

  /** A slot as `generate` sees it. Its first feed is the prompt's rest, which can be long: it tells, and can be ended. */
  #session(slot: Slot, { onPrompt }: RequestOptions, signal: AbortSignal): GrowingSession {
    let isPrompt = true;
    const feedPrompt = async (tokens: Int32Array): Promise<Float32Array> => {
      let at = 0;
      const onPiece = (count: number) => {
        this.#counts.promptTokens += count;
        at += count;
        return at < tokens.length ? onPrompt?.(at, tokens.length) : undefined;
      };
      await onPrompt?.(0, tokens.length);
      return slot.feed(tokens, 'last', { signal, onPiece });
    };
    return {
      get position() {
        return slot.position;
      },
      contextSize: slot.contextSize,
      feed: (tokens) => {
        if (!isPrompt) return slot.feed(tokens, 'last');
        isPrompt = false;
        return feedPrompt(tokens);
      },
    };
  }

  /** @param options `whole`: nothing that is held may be left out. */
  async #pass<T>(
    ids: Int32Array,
    { signal, client = ANYBODY, whole }: PassOptions & { readonly whole: boolean },
    work: (slot: Slot, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const leash = new Leash();
    const done = this.#enter(ids, leash, signal);
    let slot: Slot | undefined;
    try {
      slot = await this.#slots.take({ ids, client, signal: leash.signal });
      if (whole) slot.rewind(0);
      else await this.#slots.share(slot, ids, leash.signal);
      const reused = slot.position;
      const result = await work(slot, leash.signal);
      this.#counts.reusedTokens += reused;
      this.#counts.promptTokens += slot.position - reused;
      return result;
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      throw signal?.aborted ? signal.reason : closing();
    } finally {
      if (slot) this.#slots.release(slot);
      done();
    }
  }

  /** Checks a request and counts it in; what it returns counts it out. */
  #enter(ids: Int32Array, leash: Leash, signal: AbortSignal | undefined): () => void {
    if (!this.#takesMore) throw closing();
    if (ids.length === 0) throw usageError('the prompt has no token: there is nothing to go on from');
    if (ids.length > this.contextSize) {
      throw new BitmillError(
        'resources',
        `the prompt has ${ids.length} tokens; the context holds ${this.contextSize}`,
      );
    }
    const { vocabularySize } = this.tokenizer;
    const wrong = ids.find((id) => id < 0 || id >= vocabularySize);
    if (wrong !== undefined) throw usageError(`token ${wrong} is not from 0 to ${vocabularySize - 1}`);
    leash.follow(signal);
    this.#leashes.add(leash);
    return () => {
      leash.release();
      this.#leashes.delete(leash);
      if (this.#leashes.size === 0) for (const resolve of this.#drained.splice(0)) resolve();
    };
  }
}

function closing(): BitmillError {
  return new BitmillError('resources', 'no more requests are taken: the service is about to close');
}

/** @param parts `sequences` are closed with the service. */
export function openService(parts: ServiceParts): ModelService {
  return new Service(parts);
}
