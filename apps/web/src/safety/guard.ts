/** A provider whose answers are looked at while they come: what was not looked at is not handed on. */
import { type AnswerEnd, type ChatRequest, type Delta, type Provider, ProviderError } from '../provider.ts';
import { ALLOW, type SafetyCheck, type Verdict, worse } from './check.ts';

/** An answer or a question that a check does not let through. */
export class BlockedError extends ProviderError {
  constructor(reason: string) {
    super(reason, { code: 'content_filter' });
    this.name = 'BlockedError';
  }
}

/** @param onVerdict hears what the checks of an answer came to, the worst of them, when it ends. */
export function guarded(
  provider: Provider,
  check: SafetyCheck,
  onVerdict?: (verdict: Verdict) => void,
): Provider {
  return {
    ...provider,
    chat: (request) => guardedChat(provider, request, check, onVerdict ?? (() => {})),
  };
}

async function* guardedChat(
  provider: Provider,
  request: ChatRequest,
  check: SafetyCheck,
  onVerdict: (verdict: Verdict) => void,
): AsyncGenerator<Delta, AnswerEnd> {
  const stop = new AbortController();
  const signal = AbortSignal.any([request.signal, stop.signal]);
  let worst = ALLOW;
  const judge = async (verdict: Verdict | Promise<Verdict> | undefined) => {
    worst = worse(worst, (await verdict) ?? ALLOW);
    if (worst.kind === 'block') throw new BlockedError(worst.reason);
  };
  try {
    await judge(check.input?.(request.messages, signal));
    const held = new HeldBack(check.holdBack ?? 0);
    const stream = provider.chat({ ...request, signal });
    let looked = 0;
    for (;;) {
      const { done, value } = await stream.next();
      if (done) {
        await judge(check.output?.(held.text, true, signal));
        yield* held.release(true);
        return value;
      }
      held.push(value);
      if (held.text.length - looked < (check.every ?? 1)) continue;
      await judge(check.output?.(held.text, false, signal));
      looked = held.text.length;
      yield* held.release(false);
    }
  } finally {
    onVerdict(worst);
    stop.abort();
  }
}

/** Pieces of an answer that wait until those behind them were looked at. */
class HeldBack {
  text = '';
  readonly #room: number;
  #waiting: { readonly delta: Delta; readonly end: number }[] = [];

  /** @param room characters at the end that wait. */
  constructor(room: number) {
    this.#room = room;
  }

  push(delta: Delta): void {
    this.text += delta.text;
    this.#waiting.push({ delta, end: this.text.length });
  }

  /** Whole pieces only: a piece's tokens belong to its text. */
  *release(all: boolean): Generator<Delta, void> {
    const shown = all ? Number.POSITIVE_INFINITY : this.text.length - this.#room;
    const free = this.#waiting.filter(({ end }) => end <= shown);
    this.#waiting = this.#waiting.slice(free.length);
    for (const { delta } of free) yield delta;
  }
}
