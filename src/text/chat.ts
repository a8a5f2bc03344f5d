/**
 * Chat templates: messages to the text that a model was trained on, by the Jinja template in its file. Templates are
 * programs from outside; the interpreter reaches nothing but the values given here, and what it may produce is bounded.
 */
import { BitmillError, inputError } from '../core/index.ts';
import { type GgufFile, getString, quoted } from '../gguf/index.ts';
import { parseTemplate, runTemplate, type Template, usesVariable } from './template/index.ts';
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

/** Characters that Unicode keeps for use inside programs; one of them marks where a token must not be read. */
const GUARDS = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0xfdd0 + i));

/** Data in which no text of a control token is whole: the guard stands behind its first character. */
function guarded<T>(data: T, tokenizer: Tokenizer, guard: string): T {
  const inner = (value: unknown): unknown => {
    if (typeof value === 'string') return tokenizer.guardControl(value, guard);
    if (Array.isArray(value)) return value.map(inner);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [inner(name), inner(item)]));
  };
  return inner(data) as T;
}

export class ChatTemplate {
  /** As the file has it. */
  readonly source: string;
  readonly #template: Template;
  readonly #tokenizer: Tokenizer;
  readonly #place: string;

  /** @throws input error: one that is too long, or does not parse. @param place the file, for messages. */
  constructor(source: string, tokenizer: Tokenizer, place: string) {
    this.source = source;
    this.#place = `${place}: chat template`;
    this.#tokenizer = tokenizer;
    this.#template = this.#guarded(() => parseTemplate(source));
  }

  /** Whether the template looks at a variable, such as `tools`. */
  uses(variable: string): boolean {
    return usesVariable(this.#template, variable);
  }

  /**
   * The text of a chat. Its time and memory are bounded, whatever the template does.
   * @throws input error: the template refuses the messages, or asks for too much.
   */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    const { generationPrompt = false, variables = {} } = options;
    return this.#guarded(() =>
      runTemplate(this.#template, {
        messages,
        add_generation_prompt: generationPrompt,
        bos_token: this.#textOf(this.#tokenizer.bos),
        eos_token: this.#textOf(this.#tokenizer.eos),
        pad_token: this.#textOf(this.#tokenizer.pad),
        ...variables,
      }),
    );
  }

  /**
   * The ids of a chat. Control tokens are read where the template writes them, never where a message or a variable
   * does. BOS goes first, once, where the vocabulary wants it.
   */
  encode(messages: readonly ChatMessage[], options: RenderOptions = {}): Int32Array {
    const { variables = {} } = options;
    const said = JSON.stringify([messages, variables]);
    const guard = GUARDS.find((character) => !said.includes(character)) ?? GUARDS[0];
    const text = this.render(guarded(messages, this.#tokenizer, guard), {
      ...options,
      variables: guarded(variables, this.#tokenizer, guard),
    });
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
      throw inputError(this.#place, `fails: ${quoted(reasonOf(error), 200).slice(1, -1)}`);
    }
  }
}

/** The interpreter's own words, where they are any: a fault of the runtime says nothing of the template. */
function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return 'it nests too deeply, or makes too long a text';
  if (error instanceof TypeError || !(error instanceof Error))
    return 'it ends too early, or is no valid Jinja';
  return error.message || 'a break or continue stands outside of a loop';
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
