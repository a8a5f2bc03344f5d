/** What middlewares put on a request for the routes, and what the routes tell the shell around them. */
import type { Context, MiddlewareHandler } from 'hono';
import type { SafetyCheck } from './safety.ts';

export interface ServerEnv {
  readonly Variables: {
    /** Who asks: an API key's name or an address. The queue takes turns between them. Default: one for all. */
    client?: string;
    /**
     * Ends the request; default: the request's own signal, which follows the connection. Aborted with an `ApiError` as
     * reason, that is the answer.
     */
    signal?: AbortSignal;
  };
}

export type ServerContext = Context<ServerEnv>;

/** One request for tokens or vectors, when it is over. */
export interface AnswerReport {
  readonly model: string;
  readonly route: string;
  readonly stream: boolean;
  readonly promptTokens: number;
  /** Of the prompt, those that were held already. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** The first `finish_reason`, `aborted`, or the code of an error. */
  readonly outcome: string;
  /** Milliseconds from the request's arrival at the route to the first token, where there was one, and to the end. */
  readonly firstTokenMs?: number;
  readonly totalMs: number;
  /** Where `logPrompts` is set. */
  readonly prompt?: string;
  readonly text?: string;
}

export interface AppExtras {
  /** In the order in which they see a request, before every route of the app. */
  readonly middleware?: readonly MiddlewareHandler<ServerEnv>[];
  /** Hears of every request that reached a model, also of one that failed. */
  readonly onAnswer?: (report: AnswerReport, c: ServerContext) => void;
  /** Hears of faults of ours: what the asker is not told. */
  readonly onFault?: (error: unknown, c: ServerContext) => void;
  /** Looks at what is asked and at what is answered. Default: nobody does. */
  readonly safety?: SafetyCheck;
  /** Of the program, for the API's description. */
  readonly version?: string;
  /** Milliseconds without an event after which a stream says that it lives. */
  readonly keepAliveMs?: number;
}
