/**
 * Llama 3.1 and later: the whole answer is `{"name": …, "parameters": {…}}`, behind `<|python_tag|>` now and then. The
 * templates take one call a message.
 */
import type { ChatMessage } from '../../../text/index.ts';
import type { ToolFormat } from '../types.ts';

type Calls = readonly { readonly id?: unknown }[];

/** A message with several calls as several, each followed by its result. */
function oneByOne(messages: readonly ChatMessage[]): ChatMessage[] {
  const out: ChatMessage[] = [];
  for (let at = 0; at < messages.length; at++) {
    const calls = messages[at].tool_calls as Calls | undefined;
    if (!calls || calls.length < 2) {
      out.push(messages[at]);
      continue;
    }
    let end = at + 1;
    while (messages[end]?.role === 'tool') end++;
    const results = messages.slice(at + 1, end);
    calls.forEach((call, i) => {
      const result = results.findIndex(({ tool_call_id: id }) => id !== undefined && id === call.id);
      const found = results.splice(Math.max(result, 0), 1);
      out.push(
        { ...messages[at], content: i === 0 ? messages[at].content : '', tool_calls: [call] },
        ...found,
      );
    });
    out.push(...results);
    at = end - 1;
  }
  return out;
}

export const llama: ToolFormat = {
  name: 'llama3',
  fits: (source, usesTools) => usesTools && (source.includes('<|python_tag|>') || source.includes('ipython')),
  frame: { opens: ['<|python_tag|>'], isList: false, argumentsKey: 'parameters', space: '' },
  variables: (tools) => ({ tools }),
  messages: oneByOne,
};
