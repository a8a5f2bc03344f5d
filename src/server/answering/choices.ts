/** Several answers side by side as one stream of events; no more at once than the model has slots. */
import type { AnswerEnd, GeneratedToken, ModelService, RequestOptions } from '../../generate/index.ts';
import { abortError } from '../errors.ts';

/** One answer that is asked for. */
export interface Choice {
  readonly ids: Int32Array;
  readonly options: RequestOptions;
}

/** Something of the answer number `index`: a token, or its end. */
export type ChoiceEvent =
  | { readonly index: number; readonly token: GeneratedToken }
  | { readonly index: number; readonly end: AnswerEnd };

interface Result {
  readonly index: number;
  readonly result: IteratorResult<GeneratedToken, AnswerEnd>;
}

/** The answers that go on now. */
class Running {
  readonly #service: ModelService;
  readonly #choices: readonly Choice[];
  readonly #signal: AbortSignal;
  readonly #generators: AsyncGenerator<GeneratedToken, AnswerEnd>[] = [];
  readonly #next = new Map<number, Promise<Result>>();

  constructor(service: ModelService, choices: readonly Choice[], signal: AbortSignal) {
    this.#service = service;
    this.#choices = choices;
    this.#signal = signal;
  }

  /** Starts as many as there is room for; whether any goes on. */
  fill(): boolean {
    const slots = Math.max(1, this.#service.stats().slots);
    while (this.#next.size < slots && this.#generators.length < this.#choices.length) {
      const { ids, options } = this.#choices[this.#generators.length];
      this.#generators.push(this.#service.answer(ids, { ...options, signal: this.#signal }));
      this.#ask(this.#generators.length - 1);
    }
    return this.#next.size > 0;
  }

  /** What comes next, of whichever answer. */
  async event(): Promise<ChoiceEvent> {
    const { index, result } = await Promise.race(this.#next.values());
    this.#next.delete(index);
    if (result.done) return { index, end: result.value };
    this.#ask(index);
    return { index, token: result.value };
  }

  /** Gives back what they hold. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#generators.map((generator) => generator.return(ABANDONED)));
  }

  #ask(index: number): void {
    const next = this.#generators[index].next().then((result) => ({ index, result }));
    // An answer that fails while another one's token is on its way is heard of in the next race.
    next.catch(() => {});
    this.#next.set(index, next);
  }
}

/** Of a generator that nobody reads any more. */
const ABANDONED: AnswerEnd = { reason: 'aborted', tokens: 0, text: '', promptTokens: 0, reusedTokens: 0 };

/**
 * Tokens and ends of all choices as they come. Leaving early ends them all.
 * @throws as the service; 499 or the signal's reason where it is aborted.
 */
export async function* choiceEvents(
  service: ModelService,
  choices: readonly Choice[],
  signal: AbortSignal,
): AsyncGenerator<ChoiceEvent, void> {
  const running = new Running(service, choices, signal);
  try {
    while (running.fill()) {
      const event = await running.event();
      if ('end' in event && event.end.reason === 'aborted') throw abortError(signal);
      yield event;
    }
  } finally {
    await running.close();
  }
}
