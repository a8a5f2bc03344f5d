/** Conversations in files of JSON lines. */
import { inputError } from '../core/index.ts';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

function isMessage(value: unknown): value is ChatMessage {
  return (
    typeof value === 'object' &&
    value !== null &&
    'role' in value &&
    'content' in value &&
    typeof value.role === 'string' &&
    typeof value.content === 'string'
  );
}

/** Conversations out of JSON lines. @throws input error: file and line of the first that is none. */
export function parseConversations(file: string, text: string): ChatMessage[][] {
  const conversations = text.split('\n').flatMap((line, at): ChatMessage[][] => {
    if (line.trim() === '') return [];
    const fail = (problem: string) =>
      inputError(
        `${file}:${at + 1}`,
        problem,
        'one conversation a line: [{"role": "user", "content": "…"}, …] or {"messages": […]}',
      );
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw fail('is not JSON');
    }
    const messages =
      typeof value === 'object' && value !== null && 'messages' in value ? value.messages : value;
    if (!Array.isArray(messages) || messages.length === 0) throw fail('is no list of messages');
    const bad = messages.findIndex((message) => !isMessage(message));
    if (bad >= 0) throw fail(`message ${bad + 1} has no role and content, both text`);
    return [messages];
  });
  if (conversations.length === 0) throw inputError(file, 'is empty: it holds no conversation');
  return conversations;
}
