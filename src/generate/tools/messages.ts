/** Messages with calls and their results, as templates expect them. */
import type { ChatMessage } from '../../text/index.ts';
import type { CallFrame } from './types.ts';

/** A call in a message, as far as it is looked at. */
export interface MessageCall {
  readonly id?: string;
  readonly name: string;
  readonly arguments: unknown;
}

type Raw = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** OpenAI's API writes arguments as JSON text; templates write them out themselves, so they get the object. */
function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value ?? {};
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

function withObjects(call: unknown): unknown {
  if (!isObject(call) || !isObject(call.function)) return call;
  return { ...call, function: { ...call.function, arguments: parsed(call.function.arguments) } };
}

/** The calls of a message, with objects as arguments; none where it has none. */
export function callsOf(message: ChatMessage): MessageCall[] {
  const calls: readonly unknown[] = Array.isArray(message.tool_calls) ? message.tool_calls : [];
  return calls.flatMap((call): MessageCall[] => {
    const inner = isObject(call) && isObject(call.function) ? call.function : call;
    if (!isObject(inner) || typeof inner.name !== 'string') return [];
    const id = isObject(call) && typeof call.id === 'string' ? { id: call.id } : {};
    return [{ ...id, name: inner.name, arguments: parsed(inner.arguments) }];
  });
}

/** Arguments as objects; a missing content as an empty one; an empty list of calls left out. */
export function preparedMessages(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.map((message) => {
    const { tool_calls: calls, ...rest } = message;
    const prepared: ChatMessage = { ...rest, role: message.role, content: message.content ?? '' };
    return Array.isArray(calls) && calls.length > 0
      ? { ...prepared, tool_calls: calls.map(withObjects) }
      : prepared;
  });
}

/** Content as one text. */
export function textOf({ content }: ChatMessage): string {
  return typeof content === 'string' ? content : JSON.stringify(content ?? '');
}

/** Calls as a model would have written them. */
export function writtenCalls(calls: readonly MessageCall[], frame: CallFrame): string {
  const { opens, close = '', isList, argumentsKey, space } = frame;
  const objects = calls.map((call) => JSON.stringify({ name: call.name, [argumentsKey]: call.arguments }));
  const framed = (inner: string) => `${opens[0] ?? ''}${space}${inner}${close && space}${close}`;
  return isList ? framed(`[${objects.join(', ')}]`) : objects.map(framed).join('\n');
}

/** The message with its calls as text. */
export function withWrittenCalls(message: ChatMessage, frame: CallFrame): ChatMessage {
  const calls = callsOf(message);
  if (calls.length === 0) return message;
  const { tool_calls: _, ...rest } = message;
  const said = textOf(message);
  return {
    ...rest,
    role: message.role,
    content: `${said}${said && '\n'}${writtenCalls(calls, frame)}`,
  };
}
