/**
 * A chat at a terminal. Readline keeps the keyboard all the time: what is typed while an answer comes is not shown, and
 * stands at the next prompt; lines that are entered then wait for their turn.
 */
import { createInterface, type Interface, type Key } from 'node:readline';
import { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { colours } from '../terminal.ts';
import type { Chat } from './chat.ts';
import { complete, perform } from './commands.ts';
import { HISTORY_LINES, type History } from './history.ts';
import { type ChatInput, MessageInput } from './input.ts';
import { tellError } from './views.ts';

/** Asks the terminal to say where pasted text begins and ends (xterm's mode 2004), and no longer. */
const PASTE_MODE = { on: '\u001b[?2004h', off: '\u001b[?2004l' } as const;

/** The terminal as readline has it: an answer does not share it. */
class PromptScreen extends Writable {
  muted = false;
  readonly isTTY = true;
  readonly #stream: WriteStream;

  constructor(stream: WriteStream) {
    super({ decodeStrings: false });
    this.#stream = stream;
    stream.on('resize', this.#resized);
  }

  get columns(): number {
    return this.#stream.columns;
  }

  override _write(chunk: string | Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    if (!this.muted) this.#stream.write(chunk);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream.off('resize', this.#resized);
    done(error);
  }

  readonly #resized = (): void => void this.emit('resize');
}

interface EnteredLine {
  readonly text: string;
  /** Inside of pasted text, not its end. */
  readonly pasted: boolean;
  /** Entered while something went on: it was not seen yet. */
  readonly unseen: boolean;
}

interface TerminalOptions {
  readonly history: History;
  readonly note: (line: string) => void;
}

class TerminalChat {
  readonly #chat: Chat;
  readonly #options: TerminalOptions;
  readonly #stream = process.stdout.isTTY ? process.stdout : process.stderr;
  readonly #screen = new PromptScreen(this.#stream);
  readonly #keyboard: Interface;
  readonly #input = new MessageInput();
  readonly #entered: EnteredLine[] = [];
  /** Stops what goes on. */
  #running: AbortController | undefined;
  #pasting = false;
  /** Ctrl-C was pressed where there was nothing to stop: the next one ends the chat. */
  #leaving = false;
  #ended = false;
  #finish: (error?: unknown) => void = () => {};

  constructor(chat: Chat, options: TerminalOptions) {
    this.#chat = chat;
    this.#options = options;
    this.#keyboard = createInterface({
      input: process.stdin,
      output: this.#screen,
      terminal: true,
      history: [...options.history.lines],
      historySize: HISTORY_LINES,
      removeHistoryDuplicates: true,
      completer: complete,
    });
  }

  async run(): Promise<void> {
    const keyboard = this.#keyboard;
    const ended = new Promise<void>((resolve, reject) => {
      this.#finish = (error) => (error === undefined ? resolve() : reject(error));
    });
    const onKey = (_: string | undefined, key: Key): void => this.#key(key);
    process.stdin.on('keypress', onKey);
    keyboard.on('line', (text) => this.#line(text));
    keyboard.on('SIGINT', () => this.#interrupt());
    keyboard.on('close', () => this.#close());
    if (process.env['TERM'] !== 'dumb') this.#stream.write(PASTE_MODE.on);
    this.#prompt();
    try {
      await ended;
    } finally {
      process.stdin.off('keypress', onKey);
      keyboard.close();
      this.#screen.destroy();
      if (process.env['TERM'] !== 'dumb') this.#stream.write(PASTE_MODE.off);
    }
  }

  #promptText(): string {
    return colours(this.#stream).green(this.#input.open ? '... ' : '> ');
  }

  #prompt(): void {
    this.#keyboard.setPrompt(this.#promptText());
    this.#keyboard.prompt(true);
  }

  #key({ name, ctrl }: Key): void {
    if (name === 'paste-start') this.#pasting = true;
    else if (name === 'paste-end') this.#pasting = false;
    if (!(ctrl && name === 'c')) this.#leaving = false;
  }

  #line(text: string): void {
    this.#options.history.add(text);
    this.#entered.push({ text, pasted: this.#pasting, unseen: this.#running !== undefined });
    if (!this.#running) this.#work().catch((error) => this.#finish(error));
  }

  #interrupt(): void {
    const begun = this.#input.open || this.#keyboard.line !== '';
    if (this.#running) this.#running.abort();
    else if (this.#leaving && !begun) this.#keyboard.close();
    else this.#drop(begun);
  }

  /** A new prompt; what was typed stays to be seen, and is forgotten. */
  #drop(begun: boolean): void {
    this.#input.clear();
    this.#pasting = false;
    this.#keyboard.write(null, { ctrl: true, name: 'e' });
    this.#stream.write('\n');
    this.#screen.muted = true;
    this.#keyboard.write(null, { ctrl: true, name: 'u' });
    this.#screen.muted = false;
    this.#leaving = !begun;
    if (!begun) this.#options.note('Ctrl-C again or Ctrl-D ends the chat');
    this.#prompt();
  }

  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#running?.abort();
    if (this.#running) return;
    this.#stream.write('\n');
    this.#finish();
  }

  /** Takes the entered lines one after the other, until none is left. */
  async #work(): Promise<void> {
    for (let line = this.#entered.shift(); line && !this.#ended; line = this.#entered.shift()) {
      const { text, pasted, unseen } = line;
      if (unseen) this.#stream.write(`${this.#promptText()}${text}\n`);
      if (pasted) this.#input.paste(text);
      const whole = pasted ? undefined : this.#input.push(text);
      if (whole) await this.#perform(whole);
    }
    if (this.#ended) this.#finish();
    else this.#prompt();
  }

  async #perform(whole: ChatInput): Promise<void> {
    const { note } = this.#options;
    const running = new AbortController();
    this.#running = running;
    this.#screen.muted = true;
    try {
      const exit = (): void => {
        this.#ended = true;
      };
      await perform(whole, { chat: this.#chat, note, exit, signal: running.signal });
    } catch (error) {
      tellError(error);
    } finally {
      this.#screen.muted = false;
      this.#running = undefined;
    }
  }
}

/** Until the user ends it. */
export function chatInTerminal(chat: Chat, options: TerminalOptions): Promise<void> {
  return new TerminalChat(chat, options).run();
}
