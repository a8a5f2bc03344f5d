/** Chats in files: what `/save` writes and `/load` reads. Also a file of JSON lines, as `imatrix --chat` reads, with one chat. */
import { readFile, stat } from 'node:fs/promises';
import { BitmillError, inputError } from '../../core/index.ts';
import { quoted } from '../../gguf/index.ts';
import { parseJson } from '../../hf/index.ts';
import { exists, fileError, writeAtomically } from '../../platform/index.ts';
import { type ChatMessage, chatMessages } from '../../text/index.ts';
import { parseConversations } from '../chats.ts';
import { checkParameter, type Parameters } from '../generation-options.ts';

/** Largest file that is read, in bytes; a chat of a million tokens has 4 MiB. */
const MAX_BYTES = 2 ** 26;

const ROLES = ['system', 'user', 'assistant'] as const;

/** A message of this program: its content is text. */
export type TextMessage = ChatMessage & { readonly role: (typeof ROLES)[number]; readonly content: string };

export interface SavedChat {
  /** The model that it was held with, as far as the file says. */
  readonly model?: string;
  readonly parameters?: Parameters;
  readonly messages: readonly TextMessage[];
}

function textMessage(message: ChatMessage, place: string): TextMessage {
  const role = ROLES.find((one) => one === message.role);
  if (!role) throw inputError(place, `its role is ${quoted(message.role)}`, `allowed: ${ROLES.join(', ')}`);
  const { content } = message;
  if (typeof content === 'string') return { ...message, role, content };
  const found = content === null ? 'null' : Array.isArray(content) ? 'a list' : typeof content;
  throw inputError(place, `its content is ${found}`, 'allowed: text');
}

function savedParameters(value: unknown, place: string): Parameters {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw inputError(place, 'is no object of names and numbers');
  }
  for (const [name, number] of Object.entries(value)) {
    if (typeof number !== 'number') throw inputError(`${place}: ${quoted(name)}`, 'is no number');
    try {
      checkParameter(name, number);
    } catch (error) {
      throw error instanceof BitmillError ? inputError(place, error.message) : error;
    }
  }
  return value as Parameters;
}

/** Whether a text is JSON lines: its first line is JSON, and others follow. */
function isJsonLines(text: string): boolean {
  const [first, ...rest] = text.split('\n').filter((line) => line.trim() !== '');
  if (rest.length === 0) return false;
  try {
    return typeof JSON.parse(first) === 'object';
  } catch {
    return false;
  }
}

/** @throws input error: the file, the place in it, what was found and what is allowed. */
export function parseChat(file: string, text: string): SavedChat {
  if (isJsonLines(text)) {
    const { length } = parseConversations(file, text);
    throw inputError(file, `holds ${length} conversations`, 'allowed: one');
  }
  const value = parseJson(new TextEncoder().encode(text), file);
  const messages = chatMessages(value, file).map((message, i) =>
    textMessage(message, `${file}: message ${i}`),
  );
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { messages };
  const { model, parameters } = value as Readonly<Record<string, unknown>>;
  if (model !== undefined && typeof model !== 'string') throw inputError(`${file}: model`, 'is no text');
  return {
    messages,
    ...(model === undefined ? {} : { model }),
    ...(parameters === undefined ? {} : { parameters: savedParameters(parameters, `${file}: parameters`) }),
  };
}

/** @throws input error: as `parseChat`, or a file that is missing or too large. */
export async function loadChat(file: string): Promise<SavedChat> {
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) throw inputError(file, `has ${size} bytes; a chat has at most ${MAX_BYTES}`);
    return parseChat(file, await readFile(file, 'utf8'));
  } catch (error) {
    throw error instanceof BitmillError ? error : fileError(file, error);
  }
}

/**
 * Writes a chat; an older one is replaced.
 * @throws input error: something else is there.
 */
export async function saveChat(file: string, chat: SavedChat): Promise<void> {
  if (await exists(file)) {
    await loadChat(file).catch(() => {
      throw inputError(file, 'is there and is no chat: it is not replaced');
    });
  }
  const bytes = new TextEncoder().encode(`${JSON.stringify(chat, null, 2)}\n`);
  await writeAtomically(file, (sink) => sink.write(0, bytes));
}
