/** The page's side of the channel: a model in a worker. */
import {
  type AnswerEnd,
  type AnswerToken,
  type ChatRequest,
  type Delta,
  type ModelInfo,
  ProviderError,
  type ScoreRequest,
} from '../../provider.ts';
import type { CallName, Calls, FromWorker, OpenRequest, Port, ToWorker } from './protocol.ts';

interface Pending {
  readonly onDelta: (delta: Delta) => void;
  readonly resolve: (result: Calls[CallName]['result']) => void;
  readonly reject: (error: Error) => void;
}

export class RemoteModel {
  readonly #port: Port<FromWorker, ToWorker>;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #dead: ProviderError | undefined;

  constructor(port: Port<FromWorker, ToWorker>) {
    this.#port = port;
    port.onmessage = ({ data }) => this.#hear(data);
  }

  open(request: OpenRequest): Promise<ModelInfo> {
    return this.#call('open', request);
  }

  score({ signal, ...request }: ScoreRequest): Promise<readonly AnswerToken[]> {
    return this.#call('score', request, signal);
  }

  embed(texts: readonly string[], signal?: AbortSignal): Promise<readonly Float32Array[]> {
    return this.#call('embed', { texts }, signal);
  }

  async *chat({ signal, ...request }: ChatRequest): AsyncGenerator<Delta, AnswerEnd> {
    const deltas: Delta[] = [];
    let wake = () => {};
    let ended: AnswerEnd | Error | undefined;
    const leave = new AbortController();
    const either = AbortSignal.any([signal, leave.signal]);
    const whole = this.#call('chat', request, either, (delta) => {
      deltas.push(delta);
      wake();
    });
    const settle = (value: AnswerEnd | Error) => {
      ended = value;
      wake();
    };
    void whole.then(settle, settle);
    try {
      for (;;) {
        const next = deltas.shift();
        if (next) yield next;
        else if (ended instanceof Error) throw ended;
        else if (ended) return ended;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      // Whoever leaves in the middle wants no more.
      if (!ended) leave.abort();
    }
  }

  /** The worker ended by itself, or was ended: nothing that waits will come. */
  fail(message: string): void {
    this.#dead = new ProviderError(message);
    for (const { reject } of this.#pending.values()) reject(this.#dead);
    this.#pending.clear();
  }

  #call<Name extends CallName>(
    name: Name,
    request: Calls[Name]['request'],
    signal?: AbortSignal,
    onDelta: (delta: Delta) => void = () => {},
  ): Promise<Calls[Name]['result']> {
    if (this.#dead) return Promise.reject(this.#dead);
    const call = ++this.#calls;
    const abort = () => this.#port.postMessage({ call, name: 'abort' });
    return new Promise<Calls[Name]['result']>((resolve, reject) => {
      this.#pending.set(call, { onDelta, resolve: resolve as Pending['resolve'], reject });
      this.#port.postMessage({ call, name, request } as ToWorker);
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort);
    }).finally(() => signal?.removeEventListener('abort', abort));
  }

  #hear(reply: FromWorker): void {
    const pending = this.#pending.get(reply.call);
    if (!pending) return;
    if (reply.kind === 'delta') {
      pending.onDelta(reply.delta);
      return;
    }
    this.#pending.delete(reply.call);
    if (reply.kind === 'done') pending.resolve(reply.result);
    else pending.reject(new ProviderError(reply.message));
  }
}
