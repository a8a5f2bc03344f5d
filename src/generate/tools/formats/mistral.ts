/** Mistral: `[TOOL_CALLS] [{"name": …, "arguments": {…}}, …]`, with ids of nine letters and digits. */
import type { ChatMessage } from '../../../text/index.ts';
import type { ToolFormat } from '../types.ts';

const ID_LENGTH = 9;

/** Another client's id as one that the template takes: the same every time (FNV-1a, twice). */
function shortId(id: unknown): string {
  const text = String(id ?? '');
  if (new RegExp(`^[A-Za-z0-9]{${ID_LENGTH}}$`).test(text)) return text;
  const hash = (seed: number): string => {
    let sum = seed;
    for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193) >>> 0;
    return sum.toString(36).padStart(7, '0');
  };
  return (hash(0x811c9dc5) + hash(0x7ee3623b)).slice(-ID_LENGTH);
}

function withShortIds(message: ChatMessage): ChatMessage {
  const calls = message.tool_calls;
  if (Array.isArray(calls)) {
    return {
      ...message,
      tool_calls: calls.map((call: object) => ({ ...call, id: shortId('id' in call ? call.id : '') })),
    };
  }
  return message.role === 'tool' ? { ...message, tool_call_id: shortId(message.tool_call_id) } : message;
}

export const mistral: ToolFormat = {
  name: 'mistral',
  fits: (source, usesTools) => usesTools && source.includes('[TOOL_CALLS]'),
  frame: { opens: ['[TOOL_CALLS]'], isList: true, argumentsKey: 'arguments', space: ' ' },
  idLength: ID_LENGTH,
  variables: (tools) => ({ tools }),
  messages: (messages) => messages.map(withShortIds),
};
