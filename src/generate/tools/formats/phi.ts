/**
 * Phi-4-mini: tools are a JSON text in the field `tools` of the system message, calls are
 * `<|tool_call|>[{"name": …, "arguments": {…}}]<|/tool_call|>`. The template knows no `tool_calls`, so that calls of
 * former turns stand in the content as text.
 */
import type { ChatMessage } from '../../../text/index.ts';
import { withWrittenCalls } from '../messages.ts';
import type { CallFrame, Tool, ToolFormat } from '../types.ts';

const FRAME: CallFrame = {
  opens: ['<|tool_call|>'],
  close: '<|/tool_call|>',
  isList: true,
  argumentsKey: 'arguments',
  space: '',
};

function withTools(messages: readonly ChatMessage[], tools: readonly Tool[]): ChatMessage[] {
  const text = JSON.stringify(tools.map((tool) => tool.function));
  const [first, ...rest] = messages;
  if (first?.role === 'system') return [{ ...first, tools: text }, ...rest];
  return [{ role: 'system', content: '', tools: text }, ...messages];
}

export const phi: ToolFormat = {
  name: 'phi4-mini',
  fits: (source) => source.includes('<|tool|>') && /message(\.tools|\[['"]tools['"]\])/.test(source),
  frame: FRAME,
  variables: () => ({}),
  messages: (messages, tools) =>
    withTools(messages, tools).map((message) => withWrittenCalls(message, FRAME)),
};
