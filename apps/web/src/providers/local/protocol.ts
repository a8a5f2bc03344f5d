/** What the page and the worker that holds a model say to each other. Every request has a number; its replies bear it. */
import type { AnswerEnd, AnswerToken, ChatRequest, Delta, ModelInfo, ScoreRequest } from '../../provider.ts';

/** Where a model lies: a file that was picked, or an address; shards in their order. */
export type ModelSource =
  | { readonly kind: 'files'; readonly files: readonly File[] }
  | { readonly kind: 'url'; readonly url: string };

export interface OpenRequest {
  readonly source: ModelSource;
  /** How the model is called from now on. */
  readonly id: string;
  /** Threads that compute; 1 where the page may not share memory. */
  readonly threads: number;
  /** Address of the script of such a thread. */
  readonly threadUrl: string;
}

/** Requests and what answers them. `chat` sends deltas before. */
export interface Calls {
  open: { request: OpenRequest; result: ModelInfo };
  chat: { request: Omit<ChatRequest, 'signal'>; result: AnswerEnd };
  score: { request: Omit<ScoreRequest, 'signal'>; result: readonly AnswerToken[] };
  embed: { request: { readonly texts: readonly string[] }; result: readonly Float32Array[] };
}
export type CallName = keyof Calls;

export type ToWorker =
  | {
      [Name in CallName]: {
        readonly call: number;
        readonly name: Name;
        readonly request: Calls[Name]['request'];
      };
    }[CallName]
  | { readonly call: number; readonly name: 'abort' };

export type FromWorker =
  | { readonly call: number; readonly kind: 'delta'; readonly delta: Delta }
  | { readonly call: number; readonly kind: 'done'; readonly result: Calls[CallName]['result'] }
  | { readonly call: number; readonly kind: 'failed'; readonly message: string };

/** One end of a channel: a `Worker`, the worker's own scope, a `MessagePort`. */
export interface Port<In, Out> {
  postMessage(message: Out): void;
  onmessage: ((event: { readonly data: In }) => unknown) | null;
}
