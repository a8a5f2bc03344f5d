/**
 * Chat templates: messages to the text that a model was trained on, by the Jinja template in its file. Templates are
 * programs from outside; the interpreter reaches nothing but the values given here, and what it may produce is bounded.
 */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { BitmillError, inputError } from '../core/index.ts';
import { type GgufFile, getString, quoted } from '../gguf/index.ts';
import type { Tokenizer } from './types.ts';

/** One turn. Templates look at `role` and `content`; some know `tool_calls` and more. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly [name: string]: unknown;
}

export interface RenderOptions {
  /** End with what opens the assistant's turn. Default false. */
  readonly generationPrompt?: boolean;
  /** Further variables of the template, such as `tools` or `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Longest template; those that models ship have at most some 20,000 characters. */
const MAX_TEMPLATE = 1 << 20;

/** Longest rendered text, in characters. */
const MAX_TEXT = 1 << 26;

/** Largest range() in a template: loops run over messages, not over numbers. */
const MAX_RANGE = 100_000;

/** Characters that Unicode keeps for use inside programs; one of them marks where a token must not be read. */
const GUARDS = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0xfdd0 + i));

/** What templates may call. The date is not among it: the same chat is the same text on every day. */
const GLOBALS = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range: boundedRange,
  raise_exception: (message: unknown) => {
    throw new Error(String(message));
  },
} as const;

function boundedRange(...bounds: readonly number[]): number[] {
  const [start, stop, step = 1] = bounds.length > 1 ? bounds : [0, ...bounds];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (step !== 0 && length <= MAX_RANGE) return Array.from({ length }, (_, i) => start + i * step);
  throw new Error(`range(${bounds.join(', ')}): at most ${MAX_RANGE} numbers are made`);
}

function run(program: ReturnType<typeof parse>, variables: Readonly<Record<string, unknown>>): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  return String(new Interpreter(environment).run(program).value);
}

/** A message in which no text of a control token is whole: the guard stands behind its first character. */
function guardedMessage(message: ChatMessage, tokenizer: Tokenizer, guard: string): ChatMessage {
  const guarded = (value: unknown): unknown => {
    if (typeof value === 'string') return tokenizer.guardControl(value, guard);
    if (Array.isArray(value)) return value.map(guarded);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, guarded(item)]));
  };
  return guarded(message) as ChatMessage;
}

export class ChatTemplate {
  readonly #program: ReturnType<typeof parse>;
  readonly #tokenizer: Tokenizer;
  readonly #place: string;

  /** @throws input error: no template, or one that does not parse. @param place the file, for messages. */
  constructor(source: string, tokenizer: Tokenizer, place: string) {
    this.#place = `${place}: chat template`;
    this.#tokenizer = tokenizer;
    if (source.length > MAX_TEMPLATE) {
      throw inputError(this.#place, `has ${source.length} characters; at most ${MAX_TEMPLATE} are read`);
    }
    // Jinja's own settings for chat templates: a block's line break and indentation are not part of the text.
    this.#program = this.#guarded(() => parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })));
  }

  /** The text of a chat. @throws input error: the template refuses the messages, or asks for too much. */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    const { generationPrompt = false, variables = {} } = options;
    const text = this.#guarded(() =>
      run(this.#program, {
        ...GLOBALS,
        messages,
        add_generation_prompt: generationPrompt,
        bos_token: this.#textOf(this.#tokenizer.bos),
        eos_token: this.#textOf(this.#tokenizer.eos),
        pad_token: this.#textOf(this.#tokenizer.pad),
        ...variables,
      }),
    );
    if (text.length <= MAX_TEXT) return text;
    throw inputError(this.#place, `makes ${text.length} characters; at most ${MAX_TEXT} are used`);
  }

  /**
   * The ids of a chat. Control tokens are read where the template writes them, never where a message does. BOS goes
   * first, once, where the vocabulary wants it.
   */
  encode(messages: readonly ChatMessage[], options: RenderOptions = {}): Int32Array {
    const said = JSON.stringify(messages);
    const guard = GUARDS.find((character) => !said.includes(character)) ?? GUARDS[0];
    const text = this.render(
      messages.map((message) => guardedMessage(message, this.#tokenizer, guard)),
      options,
    );
    const ids = this.#tokenizer.encode(text, { special: true, guard });
    const { bos, addBos } = this.#tokenizer;
    return addBos && bos !== undefined && ids[0] !== bos ? Int32Array.of(bos, ...ids) : ids;
  }

  #textOf(id: number | undefined): string {
    return id === undefined ? '' : this.#tokenizer.decode([id], { special: true, start: false });
  }

  #guarded<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof BitmillError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw inputError(this.#place, `fails: ${quoted(reason, 200).slice(1, -1)}`);
    }
  }
}

/** The chat template of a GGUF. @throws input error: it has none. */
export function chatTemplateOf(file: GgufFile, tokenizer: Tokenizer): ChatTemplate {
  const source = getString(file.metadata, 'tokenizer.chat_template', file.name);
  if (source !== undefined) return new ChatTemplate(source, tokenizer, file.name);
  throw inputError(
    file.name,
    'has no chat template (tokenizer.chat_template)',
    'use plain text instead of a chat',
  );
}

/**
 * Messages out of parsed JSON: a list of them, or an object with `messages`.
 * @throws input error: something else. @param place where it stands, for messages.
 */
export function chatMessages(value: unknown, place: string): ChatMessage[] {
  const list: unknown = typeof value === 'object' && value && 'messages' in value ? value.messages : value;
  if (!Array.isArray(list) || list.length === 0) {
    throw inputError(place, 'is no chat', 'expected a list of messages, or an object with "messages"');
  }
  return list.map((message: unknown, i) => {
    const role = typeof message === 'object' && message && 'role' in message ? message.role : undefined;
    if (typeof role !== 'string') throw inputError(`${place}: message ${i}`, 'has no "role"');
    return { ...(message as object), role };
  });
}
