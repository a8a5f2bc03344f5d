/** Hermes, Qwen 2.5 and 3, and others: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, one frame a call. */
import type { CallFrame, ToolFormat } from '../types.ts';

export const HERMES_FRAME: CallFrame = {
  opens: ['<tool_call>'],
  close: '</tool_call>',
  isList: false,
  argumentsKey: 'arguments',
  space: '\n',
};

export const hermes: ToolFormat = {
  name: 'hermes',
  fits: (source, usesTools) => usesTools && source.includes('<tool_call>'),
  frame: HERMES_FRAME,
  variables: (tools) => ({ tools }),
  messages: (messages) => messages,
};
