/** A chat by lines of a file or a program: no prompts, and the first error ends it. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { inputError } from '../../core/index.ts';
import type { Chat } from './chat.ts';
import { perform } from './commands.ts';
import { MessageInput } from './input.ts';

/**
 * @param lines is closed at the end, wherever that is: the program would wait for its writer otherwise.
 * @throws what a line leads to; input error: the last message is not whole.
 */
export async function chatByLines(chat: Chat, lines: Readable, note: (line: string) => void): Promise<void> {
  const input = new MessageInput();
  let ended = false;
  const exit = (): void => {
    ended = true;
  };
  try {
    for await (const line of createInterface({ input: lines, crlfDelay: Number.POSITIVE_INFINITY })) {
      const whole = input.push(line);
      if (whole) await perform(whole, { chat, note, exit });
      if (ended) return;
    }
  } finally {
    lines.destroy();
  }
  if (input.open)
    throw inputError('stdin', 'ends inside a message', 'a """ or the line after a \\ is missing');
}
