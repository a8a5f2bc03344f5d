/** Lines that a user enters, put together to messages and commands. */

export type ChatInput =
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'command'; readonly name: string; readonly rest: string };

const BLOCK = '"""';

/** A backslash that ends a line and is not itself after one. */
const GOES_ON = /(?:^|[^\\])(?:\\\\)*\\$/;

/**
 * A line is a message, or a command where it begins with `/`. A line that ends in `\` goes on with the next; what stands
 * between `"""` and `"""`, and pasted lines, are one message, whatever is in them.
 */
export class MessageInput {
  #lines: string[] = [];
  #state: 'new' | 'continued' | 'block' | 'pasted' = 'new';

  /** Whether a message has begun that is not whole. */
  get open(): boolean {
    return this.#state !== 'new';
  }

  /** What the line completes; undefined where more is to come, or the line is empty. */
  push(line: string): ChatInput | undefined {
    if (this.#state === 'block') return this.#inBlock(line);
    if (this.#state === 'pasted') return this.#afterPaste(line);
    if (this.#state === 'new') {
      if (line.trim() === '') return undefined;
      if (line.startsWith(BLOCK)) {
        this.#state = 'block';
        return line.length > BLOCK.length ? this.#inBlock(line.slice(BLOCK.length)) : undefined;
      }
    }
    if (GOES_ON.test(line)) {
      this.#state = 'continued';
      this.#lines.push(line.slice(0, -1));
      return undefined;
    }
    const [, name, rest = ''] = (this.#state === 'new' && /^\/(\S*)\s*(.*)$/.exec(line)) || [];
    return name === undefined ? this.#whole(line) : { kind: 'command', name, rest: rest.trim() };
  }

  /** A pasted line that is not the last one of the paste. */
  paste(line: string): void {
    this.#lines.push(line);
    if (this.#state !== 'block') this.#state = 'pasted';
  }

  clear(): void {
    this.#lines = [];
    this.#state = 'new';
  }

  #inBlock(line: string): ChatInput | undefined {
    const end = line.trimEnd();
    if (!end.endsWith(BLOCK)) {
      this.#lines.push(line);
      return undefined;
    }
    const last = end.slice(0, -BLOCK.length);
    return last === '' ? this.#whole() : this.#whole(last);
  }

  /** Pasted text that is a single line is as good as typed. */
  #afterPaste(line: string): ChatInput | undefined {
    const lines = [...this.#lines, line];
    if (lines.length > 2 || line !== '') return this.#whole(...(line === '' ? [] : [line]));
    this.clear();
    return this.push(lines[0]);
  }

  #whole(...last: string[]): ChatInput | undefined {
    const text = [...this.#lines, ...last].join('\n');
    this.clear();
    return text.trim() === '' ? undefined : { kind: 'message', text };
  }
}
