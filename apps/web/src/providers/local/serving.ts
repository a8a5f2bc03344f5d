/** The worker's side of the channel: carries out calls on one model, and aborts them. */
import type { SpawnThread } from '../../../../../src/backends/index.ts';
import { answer } from './answering.ts';
import { embedTexts, type LocalModel, openSource, scoreText } from './model.ts';
import type { CallName, Calls, FromWorker, Port, ToWorker } from './protocol.ts';

type Handlers = {
  readonly [Name in CallName]: (
    request: Calls[Name]['request'],
    signal: AbortSignal,
    call: number,
  ) => Promise<Calls[Name]['result']>;
};

/** @param spawnFrom makes threads of the script at an address. */
export function serve(port: Port<ToWorker, FromWorker>, spawnFrom: (url: string) => SpawnThread): void {
  const running = new Map<number, AbortController>();
  let model: LocalModel | undefined;
  const opened = (): LocalModel => {
    if (!model) throw new Error('No model is open.');
    return model;
  };
  const handlers: Handlers = {
    open: async ({ source, id, threads, threadUrl }) => {
      const crew = threads > 1 ? { count: threads, spawn: spawnFrom(threadUrl) } : { count: 1 };
      model = await openSource(source, crew);
      return { id, ...model.info };
    },
    chat: async (request, signal, call) => {
      const deltas = answer(opened().service, request, signal);
      for (;;) {
        const { done, value } = await deltas.next();
        if (done) return value;
        port.postMessage({ call, kind: 'delta', delta: value });
      }
    },
    score: (request, signal) => scoreText(opened().service, request, signal),
    embed: ({ texts }, signal) => embedTexts(opened().service, texts, signal),
  };
  const carryOut = async <Name extends CallName>(
    name: Name,
    call: number,
    request: Calls[Name]['request'],
  ) => {
    const abort = new AbortController();
    running.set(call, abort);
    try {
      port.postMessage({ call, kind: 'done', result: await handlers[name](request, abort.signal, call) });
    } catch (error) {
      port.postMessage({ call, kind: 'failed', message: sentenceOf(error) });
    } finally {
      running.delete(call);
    }
  };
  port.onmessage = ({ data }) => {
    if (data.name === 'abort') running.get(data.call)?.abort();
    else void carryOut(data.name, data.call, data.request as Calls[typeof data.name]['request']);
  };
}

/** An error's words, and its hint, for the person in front of the page. */
function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = 'hint' in error && typeof error.hint === 'string' ? ` (${error.hint})` : '';
  return `${error.message}${hint}`;
}
