/** One request for text, from its start to its end: its events, what it used, and what is reported of it. */
import type { Constraint, RequestOptions } from '../../generate/index.ts';
import type { ServerContext } from '../env.ts';
import { abortError, apiError } from '../errors.ts';
import type { Usage } from '../schemas/common.ts';
import type { ServedModel } from '../settings.ts';
import { type AppState, clientOf, requestSignal, Tether } from '../state.ts';
import { type EventStreamOptions, eventStream } from '../stream.ts';
import { type Choice, type ChoiceEvent, choiceEvents } from './choices.ts';
import { seedOf } from './options.ts';

/** Milliseconds that the head of a stream waits for a first token or an error, which then still has its status. */
const HEAD_MS = 1000;
const KEEP_ALIVE_MS = 10_000;

/** What is asked of a model. */
export interface Job {
  readonly model: ServedModel;
  readonly prompts: readonly Int32Array[];
  /** Answers to each prompt. */
  readonly each: number;
  readonly options: Omit<RequestOptions, 'seed' | 'constraint'>;
  readonly seed: number | null | undefined;
  /** A new constraint for every answer. */
  readonly constraint: () => Constraint | undefined;
  readonly user: string | null | undefined;
  readonly stream: boolean;
}

export class Run {
  readonly model: ServedModel;
  readonly #tether: Tether;
  readonly #job: Job;
  readonly #state: AppState;
  readonly #c: ServerContext;
  readonly #started = performance.now();
  readonly #used = { prompt: 0, cached: 0, completion: 0 };
  readonly #texts: string[] = [];
  readonly #events: AsyncGenerator<ChoiceEvent, void>;
  readonly #first: Promise<IteratorResult<ChoiceEvent, void>>;
  #begun = () => {};
  #progress = 'waiting';
  #firstToken: number | undefined;
  #reported = false;

  constructor(state: AppState, c: ServerContext, job: Job) {
    this.#state = state;
    this.#c = c;
    this.#job = job;
    this.model = job.model;
    this.#tether = new Tether(requestSignal(c));
    this.#used.prompt = job.prompts.reduce((sum, ids) => sum + ids.length, 0);
    this.#events = choiceEvents(job.model.service, this.#choices(), this.#tether.signal);
    this.#first = this.#events.next();
    this.#first.catch(() => {});
  }

  get usage(): Usage {
    const { prompt, cached, completion } = this.#used;
    return {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      prompt_tokens_details: { cached_tokens: cached },
    };
  }

  /** Ends with the request. */
  get signal(): AbortSignal {
    return this.#tether.signal;
  }

  /** All events; reports how it went, once. @throws as `choiceEvents`. */
  async *events(): AsyncGenerator<ChoiceEvent, void> {
    let outcome = 'aborted';
    try {
      for (let next = await this.#first; !next.done; next = await this.#events.next()) {
        this.#count(next.value);
        if ('end' in next.value && outcome === 'aborted') outcome = next.value.end.reason;
        yield next.value;
      }
    } catch (error) {
      this.#failed(error);
      throw error;
    } finally {
      await this.#events.return();
      this.#report(outcome);
    }
  }

  /** Frames as the answer to the request. @throws what goes wrong before the first of them. */
  async respond(frames: AsyncGenerator<string, void>): Promise<Response> {
    try {
      await this.#head();
    } catch (error) {
      this.#failed(error);
      throw error;
    }
    const options: EventStreamOptions = {
      leave: () => this.#leave(),
      keepAliveMs: this.#state.extras.keepAliveMs ?? KEEP_ALIVE_MS,
      comment: () => this.#progress,
      onError: (error) => {
        if (apiError(error).isFault) this.#state.extras.onFault?.(error, this.#c);
      },
    };
    return eventStream(frames, options);
  }

  /** Nobody reads any more. */
  async #leave(): Promise<void> {
    this.#tether.abort();
    await this.#events.return();
    this.#report('aborted');
  }

  #failed(error: unknown): void {
    const { code, type } = apiError(error);
    this.#report(code ?? type);
  }

  /** Waits until an answer has begun or failed, but not for ever: a stream's reader wants to know that it is heard. */
  async #head(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const begun = new Promise<void>((resolve) => {
      this.#begun = resolve;
      timer = setTimeout(resolve, HEAD_MS);
    });
    try {
      await Promise.race([this.#first, begun]);
      if (this.signal.aborted) throw abortError(this.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  #choices(): Choice[] {
    const { prompts, each, options, seed, constraint, user } = this.#job;
    const client = clientOf(this.#c, user);
    const onPrompt = (done: number, total: number) => {
      this.#progress = `prompt ${done} of ${total}`;
      this.#begun();
    };
    return prompts.flatMap((ids, prompt) =>
      Array.from({ length: each }, (_, i) => {
        const own = constraint();
        const seeded = { ...options, client, onPrompt, seed: seedOf(seed, prompt * each + i) };
        return { ids, options: own ? { ...seeded, constraint: own } : seeded };
      }),
    );
  }

  #count(event: ChoiceEvent): void {
    if (this.#state.settings.logPrompts) {
      const { text } = 'end' in event ? event.end : event.token;
      this.#texts[event.index] = (this.#texts[event.index] ?? '') + text;
    }
    if ('end' in event) {
      if (event.index % this.#job.each === 0) this.#used.cached += event.end.reusedTokens;
    } else {
      this.#firstToken ??= performance.now();
      this.#used.completion++;
    }
  }

  #report(outcome: string): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#tether.release();
    const { model, prompts, stream } = this.#job;
    const { prompt, cached, completion } = this.#used;
    const first = this.#firstToken;
    this.#state.extras.onAnswer?.(
      {
        model: model.id,
        route: this.#c.req.path,
        stream,
        promptTokens: prompt,
        cachedTokens: cached,
        completionTokens: completion,
        outcome,
        ...(first === undefined ? {} : { firstTokenMs: first - this.#started }),
        totalMs: performance.now() - this.#started,
        ...(this.#state.settings.logPrompts ? this.#said(prompts) : {}),
      },
      this.#c,
    );
  }

  #said(prompts: readonly Int32Array[]): { prompt: string; text: string } {
    const { tokenizer } = this.model.service;
    const prompt = prompts.map((ids) => tokenizer.decode(ids, { special: true })).join('\n');
    return { prompt, text: this.#texts.join('\n') };
  }
}
