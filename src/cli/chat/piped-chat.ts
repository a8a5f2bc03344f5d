/** A chat by lines of a file or a program: no prompts, and the first error ends it. */
import { createInterface } from 'node:readline';
import { inputError } from '../../core/index.ts';
import type { Chat } from './chat.ts';
import { perform } from './commands.ts';
import { MessageInput } from './input.ts';

/** @throws what a line leads to; input error: the last message is not whole. */
export async function chatByLines(
  chat: Chat,
  lines: NodeJS.ReadableStream,
  note: (line: string) => void,
): Promise<void> {
  const input = new MessageInput();
  let ended = false;
  const exit = () => {
    ended = true;
  };
  for await (const line of createInterface({ input: lines, crlfDelay: Number.POSITIVE_INFINITY })) {
    const whole = input.push(line);
    if (whole) await perform(whole, { chat, note, exit });
    if (ended) return;
  }
  if (input.open)
    throw inputError('stdin', 'ends inside a message', 'a """ or the line after a \\ is missing');
}
