/**
 * Tool calls: functions that a model may ask to be called. The only door of the folder. How to use it:
 *
 *     const use = toolUse(template, tokenizer, request.tools, { choice: request.tool_choice, parallel: true });
 *     const ids = use.encode(messages);                    // instead of template.encode
 *     const constraint = use.constraint();                 // a new one for each answer; undefined: free
 *     const parser = use.parser();                         // a new one for each answer
 *     for await (token of service.answer(ids, { constraint })) {
 *       const { text, calls } = parser.push(token.text, token.id);   // send them on
 *     }
 *     const last = parser.push(end.text), rest = parser.flush();     // finish_reason: parser.count > 0 ? 'tool_calls' : …
 *
 * The form of calls is the model's own where its template says one (`TOOL_FORMATS`), else that of `described`. With
 * `choice` `none` (or no tools) the model hears of none and all is text. A forced call is made by two things: its opening
 * marker ends the prompt, and a grammar makes the rest. With `auto` the text is free until the model opens a call itself.
 * Results of calls are messages `{ role: 'tool', tool_call_id, content }`, calls of former turns `tool_calls` of the
 * assistant's, both as in OpenAI's API; arguments may be JSON text or objects.
 *
 * Known limits: calls are told whole, not argument by argument. With Llama's form and `auto`, nothing constrains a call,
 * because nothing marks its beginning. Where a template leaves calls of former turns out (Phi-4-mini, `described`), they
 * are written into the content, where control tokens are read as text.
 */
import { BitmillError, usageError } from '../../core/index.ts';
import type { ChatMessage, ChatTemplate, RenderOptions, Tokenizer } from '../../text/index.ts';
import type { Grammar } from '../grammar/expression.ts';
import { LazyGrammar } from '../grammar/lazy-grammar.ts';
import { TokenGrammar } from '../grammar/token-grammar.ts';
import type { Constraint } from '../sampling/constraint.ts';
import { formatOf } from './formats/index.ts';
import { callGrammar } from './grammar.ts';
import { preparedMessages } from './messages.ts';
import { ToolParser } from './parser.ts';
import type { Tool, ToolChoice, ToolDelta, ToolFormat } from './types.ts';

export { TOOL_FORMATS } from './formats/index.ts';
export type { Tool, ToolCall, ToolChoice, ToolDelta, ToolFormat, ToolFunction } from './types.ts';

export interface ToolUseOptions {
  /** Default `auto`. */
  readonly choice?: ToolChoice;
  /** More than one call may stand in an answer. Default true. */
  readonly parallel?: boolean;
}

/** Reads one answer. */
export interface AnswerParser {
  /** @param id of the token, where the text is one's: control tokens that mark calls have no text of their own. */
  push(text: string, id?: number): ToolDelta;
  /** The answer is over. */
  flush(): ToolDelta;
  /** Calls so far. */
  readonly count: number;
}

export interface ToolUse {
  /** Name of the form of calls; undefined: no tools are in use. */
  readonly format: string | undefined;
  /** Whether the answer is made to be a call. */
  readonly isForced: boolean;
  /** The prompt for an answer to these messages. @throws input error: the template refuses them. */
  encode(messages: readonly ChatMessage[], options?: RenderOptions): Int32Array;
  /** The same as text, as the template writes it. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
  constraint(): Constraint | undefined;
  parser(): AnswerParser;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** An id that no other call has: 24 letters behind `call_` as in OpenAI's API, or as many as the template counts. */
function newId(length: number | undefined): string {
  const random = crypto.getRandomValues(new Uint8Array(length ?? 24));
  const letters = Array.from(random, (byte) => LETTERS[byte % LETTERS.length]).join('');
  return length === undefined ? `call_${letters}` : letters;
}

/** Grammars of the last requests: what is learned of one is used again. */
const GRAMMARS = new Map<string, Grammar>();
const REMEMBERED = 16;

function grammarOf(tools: readonly Tool[], format: ToolFormat, several: boolean): Grammar {
  const key = JSON.stringify([format.name, several, tools.map((tool) => tool.function)]);
  const grammar = GRAMMARS.get(key) ?? callGrammar(tools, format.frame, several);
  GRAMMARS.delete(key);
  GRAMMARS.set(key, grammar);
  for (const oldest of GRAMMARS.keys()) {
    if (GRAMMARS.size <= REMEMBERED) break;
    GRAMMARS.delete(oldest);
  }
  return grammar;
}

/** No tools: the chat as it is. */
function withoutTools(template: ChatTemplate): ToolUse {
  return {
    format: undefined,
    isForced: false,
    encode: (messages, options) =>
      template.encode(preparedMessages(messages), { generationPrompt: true, ...options }),
    render: (messages, options) =>
      template.render(preparedMessages(messages), { generationPrompt: true, ...options }),
    constraint: () => undefined,
    parser: () => ({
      push: (text) => ({ text, calls: [] }),
      flush: () => ({ text: '', calls: [] }),
      count: 0,
    }),
  };
}

/** The tools that may be called. @throws usage error: the one that is asked for is none of them. */
function chosen(tools: readonly Tool[], choice: ToolChoice): readonly Tool[] {
  if (typeof choice === 'string') return tools;
  const { name } = choice.function;
  const found = tools.filter((tool) => tool.function.name === name);
  if (found.length > 0) return found;
  const known = tools.map((tool) => tool.function.name).join(', ');
  throw usageError(`tool_choice: ${JSON.stringify(name)} is none of the tools: ${known}`);
}

class TemplateTools implements ToolUse {
  readonly isForced: boolean;
  readonly #format: ToolFormat;
  readonly #template: ChatTemplate;
  readonly #tokenizer: Tokenizer;
  readonly #tools: readonly Tool[];
  readonly #choice: ToolChoice;
  readonly #grammar: Grammar | undefined;

  constructor(
    template: ChatTemplate,
    tokenizer: Tokenizer,
    tools: readonly Tool[],
    choice: ToolChoice,
    parallel: boolean,
  ) {
    this.#format = formatOf(template);
    this.#template = template;
    this.#tokenizer = tokenizer;
    this.#tools = tools;
    this.#choice = choice;
    this.isForced = choice !== 'auto';
    this.#grammar = this.#makeGrammar(parallel);
  }

  get format(): string {
    return this.#format.name;
  }

  encode(messages: readonly ChatMessage[], options: RenderOptions = {}): Int32Array {
    const ids = this.#template.encode(this.#messages(messages), this.#options(options));
    const opening = this.#tokenizer.encode(this.#opening, { special: true });
    return this.#opening === '' ? ids : Int32Array.of(...ids, ...opening);
  }

  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    return this.#template.render(this.#messages(messages), this.#options(options)) + this.#opening;
  }

  constraint(): Constraint | undefined {
    if (!this.#grammar) return undefined;
    if (this.isForced) return new TokenGrammar(this.#grammar, this.#tokenizer);
    return new LazyGrammar(this.#grammar, this.#tokenizer, this.#format.frame.opens);
  }

  parser(): AnswerParser {
    const { frame, idLength } = this.#format;
    const parser = new ToolParser(frame, () => newId(idLength));
    parser.push(this.#opening);
    const markers = this.#markers();
    return {
      push: (text, id) => parser.push(text + ((id !== undefined && markers.get(id)) || '')),
      flush: () => parser.flush(),
      get count() {
        return parser.count;
      },
    };
  }

  /** Ends the prompt where a call is forced. A format whose calls have no closing marker needs no opening one either. */
  get #opening(): string {
    const { opens, close, isList } = this.#format.frame;
    return this.isForced && (isList || close !== undefined) ? (opens[0] ?? '') : '';
  }

  /** Markers that are control tokens: their text is not part of an answer. */
  #markers(): ReadonlyMap<number, string> {
    const { opens, close } = this.#format.frame;
    const found = new Map<number, string>();
    for (const marker of close === undefined ? opens : [...opens, close]) {
      const id = this.#tokenizer.tokenOf(marker);
      if (id !== undefined && this.#tokenizer.isControl(id)) found.set(id, marker);
    }
    return found;
  }

  /** With `auto`, a schema that no grammar can keep to leaves the answer free; a forced call says what is wrong with it. */
  #makeGrammar(parallel: boolean): Grammar | undefined {
    const tools = chosen(this.#tools, this.#choice);
    const isOne = typeof this.#choice !== 'string';
    if (this.isForced) return grammarOf(tools, this.#written, parallel && !isOne);
    const { close, isList } = this.#format.frame;
    if (!isList && close === undefined) return undefined;
    try {
      return grammarOf(tools, this.#written, parallel && isList);
    } catch (error) {
      if (error instanceof BitmillError && error.kind === 'input') return undefined;
      throw error;
    }
  }

  /** The format without a closing marker that no text can write: the end of the generation stands for it. */
  get #written(): ToolFormat {
    const { frame } = this.#format;
    const id = frame.close === undefined ? undefined : this.#tokenizer.tokenOf(frame.close);
    if (id === undefined || !this.#tokenizer.isControl(id)) return this.#format;
    return { ...this.#format, name: `${this.#format.name} without end`, frame: { ...frame, close: '' } };
  }

  #messages(messages: readonly ChatMessage[]): readonly ChatMessage[] {
    return this.#format.messages(preparedMessages(messages), this.#tools, this.#template);
  }

  #options({ variables, ...rest }: RenderOptions): RenderOptions {
    const own = this.#format.variables(this.#tools);
    return { generationPrompt: true, ...rest, variables: { ...variables, ...own } };
  }
}

/**
 * How a model uses these tools. See the top of this file.
 * @param tools undefined, null or empty: none.
 * @throws usage error: the function that is asked for is none of the tools; input error: the schema of a forced call is
 * one that no grammar keeps to, by function and place.
 */
export function toolUse(
  template: ChatTemplate,
  tokenizer: Tokenizer,
  tools: readonly Tool[] | null | undefined,
  { choice = 'auto', parallel = true }: ToolUseOptions = {},
): ToolUse {
  if (!tools || tools.length === 0 || choice === 'none') return withoutTools(template);
  return new TemplateTools(template, tokenizer, tools, choice, parallel);
}
