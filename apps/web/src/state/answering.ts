/** One answer, from the question to its end: asks the provider, lets the extensions look, and never throws. */
import { afterAnswer, beforeSend, type Extension, isRefusal, type Outgoing } from '../extensions.ts';
import { type AnswerEnd, type Message, type Provider, ProviderError } from '../provider.ts';
import type { Setup } from './conversation.ts';
import type { Answer, AnswerFacts, Failure, Turn } from './tree.ts';

export interface AnswerJob {
  /** Id of the conversation. */
  readonly conversation: string;
  /** As it stands in the tree: empty. */
  readonly turn: Answer;
  /** From the top to the question. */
  readonly line: readonly Turn[];
  readonly setup: Setup;
  readonly provider: Provider;
  readonly extensions: readonly Extension[];
  readonly signal: AbortSignal;
  /** Milliseconds, of any clock that only goes forward. */
  readonly now: () => number;
  /** The answer as far as it came, and the pieces that it came in. */
  readonly onText: (text: string, pieces: number) => void;
}

/**
 * What is sent: the system prompt, then the line. Empty answers (refused, failed) are left out and questions that then
 * follow each other become one, since many chat templates want the roles to alternate.
 */
export function messagesOf(system: string, line: readonly Turn[]): Message[] {
  const messages: Message[] = system.trim() ? [{ role: 'system', content: system }] : [];
  for (const { role, content } of line) {
    const last = messages.at(-1);
    if (role === 'assistant' && content === '') continue;
    if (last?.role === role)
      messages[messages.length - 1] = { role, content: `${last.content}\n\n${content}` };
    else messages.push({ role, content });
  }
  return messages;
}

/** @returns the turn with its text and how it ended. */
export async function runAnswer(job: AnswerJob): Promise<Answer> {
  const run = new Run(job);
  try {
    return await run.toEnd();
  } catch (error) {
    return job.signal.aborted ? run.ended('aborted') : run.ended('failed', { failure: failureOf(error) });
  }
}

class Run {
  readonly #job: AnswerJob;
  readonly #started: number;
  #first: number | undefined;
  #text = '';
  #pieces = 0;
  #notes: Outgoing['notes'] = {};

  constructor(job: AnswerJob) {
    this.#job = job;
    this.#started = job.now();
  }

  async toEnd(): Promise<Answer> {
    const { line, setup, extensions, provider, signal, conversation } = this.#job;
    const outgoing = await beforeSend(
      {
        conversation,
        question: line.at(-1)?.content ?? '',
        messages: messagesOf(setup.system, line),
        model: setup.model,
        provider,
        signal,
        notes: {},
      },
      extensions,
    );
    if (isRefusal(outgoing)) return this.ended('withheld', { failure: { message: outgoing.refused } });
    this.#notes = outgoing.notes;
    const end = await this.#stream(outgoing);
    const incoming = await afterAnswer({ outgoing, text: this.#text, notes: this.#notes }, extensions);
    const counts = { promptTokens: end.promptTokens, completionTokens: end.completionTokens };
    if (isRefusal(incoming)) {
      this.#text = '';
      return this.ended('withheld', { ...counts, failure: { message: incoming.refused } });
    }
    this.#text = incoming.text;
    this.#notes = incoming.notes;
    return this.ended(end.reason, counts);
  }

  async #stream({ messages, model, provider, signal }: Outgoing): Promise<AnswerEnd> {
    const { parameters } = this.#job.setup;
    const deltas = provider.chat({ model, messages, parameters, signal });
    for (let next = await deltas.next(); ; next = await deltas.next()) {
      if (next.done) return next.value;
      if (next.value.text === '') continue;
      this.#first ??= this.#job.now();
      this.#text += next.value.text;
      this.#pieces++;
      this.#job.onText(this.#text, this.#pieces);
    }
  }

  ended(state: AnswerFacts['state'], more: Partial<AnswerFacts> = {}): Answer {
    const { turn, now } = this.#job;
    const times =
      this.#first === undefined
        ? {}
        : {
            waitMs: this.#first - this.#started,
            streamMs: now() - this.#first,
            completionTokens: this.#pieces,
          };
    const notes = Object.keys(this.#notes).length > 0 ? { notes: this.#notes } : {};
    return { ...turn, ...notes, content: this.#text, facts: { ...turn.facts, ...times, ...more, state } };
  }
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof ProviderError)) {
    return { message: error instanceof Error ? error.message : String(error), code: 'page' };
  }
  const { status, code, retryAfter } = error.detail;
  return {
    message: error.message,
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { code }),
    ...(retryAfter === undefined ? {} : { retryAt: Date.now() + retryAfter * 1000 }),
  };
}
