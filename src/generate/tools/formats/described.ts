/**
 * Templates that know no tools. The tools are described in the system message (in the first message of the user, where
 * the template leaves a system message out), calls are in the form of Hermes, results are what a user says. A model that
 * was not trained for it may or may not follow; with a forced choice, the grammar makes it.
 */
import type { ChatMessage, ChatTemplate } from '../../../text/index.ts';
import { textOf, withWrittenCalls } from '../messages.ts';
import type { Tool, ToolFormat } from '../types.ts';
import { HERMES_FRAME } from './hermes.ts';

function description(tools: readonly Tool[]): string {
  const list = tools.map((tool) => JSON.stringify(tool.function)).join('\n');
  return `You can call these functions:
${list}

To call one, answer with its name and arguments as JSON between tags, and nothing after them:
<tool_call>
{"name": "…", "arguments": {…}}
</tool_call>
Its result comes back between <tool_response> and </tool_response>. Answer without a call where none is needed.`;
}

/** Tried out: some templates leave a system message out, some refuse it. */
function takesSystem(template: ChatTemplate): boolean {
  const said = 'said by the system';
  try {
    return template
      .render([
        { role: 'system', content: said },
        { role: 'user', content: 'x' },
      ])
      .includes(said);
  } catch {
    return false;
  }
}

/** Results as what the user says, those of one turn together: many templates want user and assistant to take turns. */
function asUser(messages: readonly ChatMessage[]): ChatMessage[] {
  const out: ChatMessage[] = [];
  let isResult = false;
  for (const message of messages) {
    if (message.role !== 'tool') out.push(message);
    else {
      const text = `<tool_response>\n${textOf(message)}\n</tool_response>`;
      const before = isResult ? out.pop() : undefined;
      out.push({ role: 'user', content: before ? `${textOf(before)}\n${text}` : text });
    }
    isResult = message.role === 'tool';
  }
  return out;
}

/** The text in front of what the first message of a role says; else as a message of its own. */
function withDescription(messages: readonly ChatMessage[], text: string, role: string): ChatMessage[] {
  const at = messages.findIndex((message) => message.role === role);
  if (at < 0 || (role === 'system' && at > 0)) return [{ role, content: text }, ...messages];
  const said = textOf(messages[at]);
  const content = role === 'system' ? `${said}\n\n${text}` : `${text}\n\n${said}`;
  return messages.map((message, i) => (i === at ? { ...message, content } : message));
}

export const described: ToolFormat = {
  name: 'described',
  fits: () => true,
  frame: HERMES_FRAME,
  variables: () => ({}),
  messages(messages, tools, template) {
    const known = asUser(messages).map((message) => withWrittenCalls(message, HERMES_FRAME));
    return withDescription(known, description(tools), takesSystem(template) ? 'system' : 'user');
  },
};
