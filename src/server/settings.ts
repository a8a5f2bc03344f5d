/** What a server is told: whom it answers, and what it takes at most. */
import type { ModelService } from '../generate/index.ts';

/** A model under the name that requests use. */
export interface ServedModel {
  readonly id: string;
  /** Seconds since 1970; of the file. */
  readonly created: number;
  /** Quantization of the file, `Q4_K_M`; for the model picker. */
  readonly fileType?: string;
  /** Bytes of the file. */
  readonly size?: number;
  readonly service: ModelService;
}

export interface ServerSettings {
  /** Any of them opens the door; none: it is open. */
  readonly apiKeys: readonly string[];
  /** Origins whose pages may ask; `*`: any. Default none. */
  readonly corsOrigins: readonly string[];
  /** Bytes of a request's body at most. */
  readonly maxBodyBytes: number;
  /** Tokens of an answer at most, whatever is asked for; where nothing is asked for, the context is the limit. */
  readonly maxTokens: number;
  /** Answers of one request at most (`n`). */
  readonly maxChoices: number;
  /** Seconds that a request may take, waiting included. */
  readonly requestSeconds: number;
  /** Seconds that a reader may leave a stream unread. */
  readonly idleSeconds: number;
  /** Prompts and answers go to the log. */
  readonly logPrompts: boolean;
  /** Folder of the web chat; undefined: no page is served. */
  readonly webRoot: string | undefined;
}

export const DEFAULT_SETTINGS: ServerSettings = {
  apiKeys: [],
  corsOrigins: [],
  maxBodyBytes: 2 ** 20,
  maxTokens: 2 ** 24,
  maxChoices: 16,
  requestSeconds: 600,
  idleSeconds: 60,
  logPrompts: false,
  webRoot: undefined,
};
