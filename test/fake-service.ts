/**
 * A `ModelService` without a model: what it says is scripted, everything else (sampling, grammars, stop strings) is real.
 * Tokens are bytes, so a character may span several.
 */
import {
  type AnswerEnd,
  BusyError,
  type GeneratedToken,
  type GrowingSession,
  generate,
  type ModelService,
  type RequestOptions,
  type ScoredToken,
  type ServiceStats,
} from '../src/generate/index.ts';
import { ChatTemplate, type StreamingDecoder, type Tokenizer } from '../src/text/index.ts';

/** The control tokens behind the 256 bytes. */
const CONTROL: readonly string[] = [
  '<s>',
  '</s>',
  '<|system|>',
  '<|user|>',
  '<|assistant|>',
  '<|tool|>',
  '<|end|>',
];
const BOS = 256;
const EOS = 257;
const VOCABULARY = 256 + CONTROL.length;

const utf8 = new TextEncoder();

function byteDecoder(special: boolean): StreamingDecoder {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push(id) {
      if (id >= 256) return decoder.decode() + (special ? CONTROL[id - 256] : '');
      return decoder.decode(Uint8Array.of(id), { stream: true });
    },
    flush: () => decoder.decode(),
  };
}

/** Control tokens first, then what is left of a guard. */
function encode(text: string, special: boolean, guard: string): number[] {
  const parts = special ? text.split(/(<s>|<\/s>|<\|(?:system|user|assistant|tool|end)\|>)/) : [text];
  return parts.flatMap((part) => {
    const control = special ? CONTROL.indexOf(part) : -1;
    if (control >= 0) return [256 + control];
    return [...utf8.encode(guard === '' ? part : part.replaceAll(guard, ''))];
  });
}

/** One token a byte. */
export const byteTokenizer: Tokenizer = {
  vocabularySize: VOCABULARY,
  bos: BOS,
  eos: EOS,
  eot: undefined,
  pad: undefined,
  addBos: true,
  addEos: false,
  encode: (text, { special = false, guard = '', bos = false } = {}) =>
    Int32Array.from([...(bos ? [BOS] : []), ...encode(text, special, guard)]),
  decode: (ids, { special = false } = {}) => {
    const decoder = byteDecoder(special);
    return Array.from(ids, (id) => decoder.push(id)).join('') + decoder.flush();
  },
  piece: (id) => (id < 256 ? Uint8Array.of(id) : utf8.encode(CONTROL[id - 256])),
  tokenOf: (text) => {
    const control = CONTROL.indexOf(text);
    return control < 0 ? undefined : 256 + control;
  },
  isEndOfGeneration: (id) => id === EOS || id === VOCABULARY - 1,
  isControl: (id) => id >= 256,
  guardControl: (text, guard) => text.replaceAll('<', `<${guard}`),
  decoder: ({ special = false } = {}) => byteDecoder(special),
};

/** Roles as control tokens; tools and calls as JSON. */
export const FAKE_TEMPLATE =
  "{% if tools %}{{ '<|system|>' + tools | tojson + '<|end|>' }}{% endif %}" +
  "{% for message in messages %}{{ '<|' + message.role + '|>' + message.content }}" +
  "{% if message.tool_calls %}{{ message.tool_calls | tojson }}{% endif %}{{ '<|end|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

export interface FakeOptions {
  /** What it says after a prompt, which is given with its control tokens. Default: `Hello.` */
  readonly script?: (prompt: string, options: RequestOptions) => string;
  readonly contextSize?: number;
  readonly slots?: number;
  /** Requests that wait at most; one more is a `BusyError`. Default: any number. */
  readonly queue?: number;
  /** Is waited for before every token but the first. */
  readonly pace?: (index: number) => Promise<void>;
  readonly template?: string | undefined;
}

/** Logits that leave no doubt about the script's next byte, where a grammar leaves it. */
function scripted(ids: readonly number[], contextSize: number, promptLength: number): GrowingSession {
  let at = 0;
  const session = {
    position: 0,
    contextSize,
    feed: async (tokens: Int32Array) => {
      session.position += tokens.length;
      const logits = new Float32Array(VOCABULARY);
      if (session.position >= promptLength) logits[ids[at++] ?? EOS] = 50;
      return logits;
    },
  };
  return session;
}

export class FakeService implements ModelService {
  readonly tokenizer = byteTokenizer;
  readonly template: ChatTemplate | undefined;
  readonly contextSize: number;
  readonly width = 4;
  /** Options of every request so far. */
  readonly requests: RequestOptions[] = [];
  /** Answers that were begun and are not over. */
  active = 0;
  readonly #options: FakeOptions;
  readonly #slots: number;
  #waiting = 0;
  #closed = false;
  readonly #turns: (() => void)[] = [];

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    this.#slots = options.slots ?? 4;
    this.contextSize = options.contextSize ?? 4096;
    const source = 'template' in options ? options.template : FAKE_TEMPLATE;
    this.template = source === undefined ? undefined : new ChatTemplate(source, this.tokenizer, 'fake.gguf');
  }

  answer(ids: Int32Array, options: RequestOptions = {}): AsyncGenerator<GeneratedToken, AnswerEnd> {
    const left = new AbortController();
    options.signal?.addEventListener('abort', () => left.abort());
    if (options.signal?.aborted) left.abort();
    const answer = this.#answer(ids, { ...options, signal: left.signal }, left.signal);
    const leave = answer.return.bind(answer);
    answer.return = (end) => {
      left.abort();
      return leave(end);
    };
    return answer;
  }

  async *#answer(
    ids: Int32Array,
    options: RequestOptions,
    signal: AbortSignal,
  ): AsyncGenerator<GeneratedToken, AnswerEnd> {
    this.requests.push(options);
    const over = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await this.#slot();
    try {
      if (signal.aborted) return { reason: 'aborted', tokens: 0, text: '', promptTokens: 0, reusedTokens: 0 };
      await options.onPrompt?.(0, ids.length);
      const prompt = this.tokenizer.decode(ids, { special: true });
      const said = [...utf8.encode(this.#options.script?.(prompt, options) ?? 'Hello.')];
      const session = scripted(said, this.contextSize, ids.length);
      const tokens = generate(session, this.tokenizer, ids, options);
      for (let index = 0; ; index++) {
        if (index > 0) await Promise.race([this.#options.pace?.(index), over]);
        const { value, done } = await tokens.next();
        if (done) return { ...value, promptTokens: ids.length, reusedTokens: 0 };
        yield value;
      }
    } finally {
      this.active--;
      this.#turns.shift()?.();
    }
  }

  /** The length of the text, its first and its last id; of unit length. */
  async embed(ids: Int32Array): Promise<Float32Array> {
    const vector = Float32Array.of(ids.length, ids[0], ids[ids.length - 1], 1);
    const norm = Math.hypot(...vector);
    return vector.map((value) => value / norm);
  }

  /** Every token at -1, and in its place the one before it at -2. */
  async score(ids: Int32Array): Promise<readonly ScoredToken[]> {
    return Array.from(ids.subarray(1), (id, i) => ({ id, logprob: -1, top: [{ id: ids[i], logprob: -2 }] }));
  }

  stats(): ServiceStats {
    const { active } = this;
    const none = { promptTokens: 0, reusedTokens: 0, generatedTokens: 0, runs: 0, runTokens: 0 };
    return { slots: this.#slots, active, waiting: this.#waiting, ...none };
  }

  async drain(): Promise<void> {
    this.#closed = true;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #slot(): Promise<void> {
    const free = this.active < this.#slots;
    if (this.#closed || (!free && this.#waiting >= (this.#options.queue ?? Number.POSITIVE_INFINITY))) {
      throw new BusyError(this.#waiting, 3);
    }
    if (!free) {
      this.#waiting++;
      await new Promise<void>((resolve) => this.#turns.push(resolve));
      this.#waiting--;
    }
    this.active++;
  }
}
