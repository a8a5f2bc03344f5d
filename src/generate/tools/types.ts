/** Tools: what a model may ask to be called, in OpenAI's shapes, and what a format of calls is. */
import type { ChatMessage, ChatTemplate } from '../../text/index.ts';

export interface ToolFunction {
  readonly name: string;
  readonly description?: string | undefined;
  /** JSON schema of the arguments; without one, any object. */
  readonly parameters?: unknown;
}

export interface Tool {
  readonly type: 'function';
  readonly function: ToolFunction;
}

/** `required`: at least one call; a name: a call of that function. */
export type ToolChoice =
  | 'auto'
  | 'none'
  | 'required'
  | { readonly type: 'function'; readonly function: { readonly name: string } };

export interface ToolCall {
  /** Counts the calls of one answer, from 0. */
  readonly index: number;
  readonly id: string;
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
}

/** What became certain with a piece of an answer. Text and calls never overlap; the text stands before the calls. */
export interface ToolDelta {
  readonly text: string;
  readonly calls: readonly ToolCall[];
}

/** How calls look in an answer. */
export interface CallFrame {
  /** Markers that begin calls. Where there is none, an answer that begins with an object is looked at as a call. */
  readonly opens: readonly string[];
  /** Marker that ends them, where there is one. */
  readonly close?: string;
  /** All calls stand in one list, or each in a frame of its own. */
  readonly isList: boolean;
  /** What the object calls its arguments. */
  readonly argumentsKey: 'arguments' | 'parameters';
  /** Text after the opening marker, and before the closing one, as the model was trained to write it. */
  readonly space: string;
}

/** One family of models. */
export interface ToolFormat {
  readonly name: string;
  /** @param source of the template. @param usesTools it looks at the variable `tools`. */
  fits(source: string, usesTools: boolean): boolean;
  readonly frame: CallFrame;
  /** Characters of the id of a call, where the template counts them. */
  readonly idLength?: number;
  /** What the template is given as `tools`; undefined: nothing. */
  variables(tools: readonly Tool[]): Readonly<Record<string, unknown>>;
  /** Messages in the shape that the template knows. Arguments of calls are objects already. */
  messages(
    messages: readonly ChatMessage[],
    tools: readonly Tool[],
    template: ChatTemplate,
  ): readonly ChatMessage[];
}
