/** Conversations in files of JSON lines. */
import { BitmillError, inputError } from '../core/index.ts';
import { type ChatMessage, type ChatTemplate, chatMessages } from '../text/index.ts';

const FORM_HINT = 'one conversation a line: [{"role": "user", "content": "…"}, …] or {"messages": […]}';

function parseLine(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw inputError(place, 'is not JSON', FORM_HINT);
  }
}

/** A conversation and where it stands: `chats.jsonl:3`. */
export interface Conversation {
  readonly place: string;
  readonly messages: readonly ChatMessage[];
}

/** @throws input error: file and line of the first that is no conversation; or there is none. */
export function parseConversations(file: string, text: string): Conversation[] {
  const conversations = text.split('\n').flatMap((line, at): Conversation[] => {
    if (line.trim() === '') return [];
    const place = `${file}:${at + 1}`;
    return [{ place, messages: chatMessages(parseLine(line, place), place) }];
  });
  if (conversations.length === 0) throw inputError(file, 'holds no conversation', FORM_HINT);
  return conversations;
}

/**
 * All conversations one after the other, as the template writes them.
 * @throws input error: a conversation that the template refuses, by file and line.
 */
export function conversationTokens(
  template: ChatTemplate,
  conversations: readonly Conversation[],
): Int32Array {
  const parts = conversations.map(({ place, messages }) => {
    try {
      return template.encode(messages);
    } catch (error) {
      if (!(error instanceof BitmillError)) throw error;
      throw inputError(place, `cannot be rendered: ${error.message}`, error.hint);
    }
  });
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
