/** The commands of a chat. */
import { usageError } from '../../core/index.ts';
import { PARAMETER_NAMES, parseParameter } from '../generation-options.ts';
import { table } from '../terminal.ts';
import type { Chat } from './chat.ts';
import type { ChatInput } from './input.ts';

/** What a command works on. */
export interface CommandContext {
  readonly chat: Chat;
  readonly note: (line: string) => void;
  /** Ends the program after the command. */
  readonly exit: () => void;
  readonly signal?: AbortSignal;
}

interface ChatCommand {
  readonly args?: string;
  readonly help: string;
  run(context: CommandContext, rest: string): Promise<void> | void;
}

function fileOf(rest: string, command: string): string {
  if (rest !== '') return rest;
  throw usageError(`/${command}: which file?`, `/${command} chat.json`);
}

function setParameter({ chat, note }: CommandContext, rest: string): void {
  const [name, value, ...more] = rest.split(/\s+/);
  const known = PARAMETER_NAMES.find((one) => one === name);
  if (!known) throw usageError(`/params: ${name} is no parameter: known are ${PARAMETER_NAMES.join(', ')}`);
  if (value === undefined || more.length > 0) throw usageError(`/params ${name}: expected one value`);
  if (value === 'default') {
    const { [known]: _, ...others } = chat.parameters;
    chat.parameters = others;
  } else chat.parameters = { ...chat.parameters, [known]: parseParameter(known, value) };
  note(`${known}: ${value}`);
}

/** In the order of /help. */
const CHAT_COMMANDS = {
  help: {
    help: 'this list',
    run: ({ note }) => {
      const rows = Object.entries<ChatCommand>(CHAT_COMMANDS).map(([name, { args = '', help }]) => [
        `/${name} ${args}`,
        help,
      ]);
      for (const line of table(rows).split('\n')) note(line);
      note('A line that ends in \\ goes on; """ begins and ends a message of several lines.');
      note('Ctrl-C stops an answer; Ctrl-D ends the chat.');
    },
  },
  system: {
    args: '[text]',
    help: 'shows or sets what the system says first; "" for nothing',
    run: ({ chat, note }, rest) => {
      if (rest !== '') chat.system = rest === '""' ? '' : rest;
      note(chat.system === undefined ? 'no system message' : `system: ${chat.system}`);
    },
  },
  save: {
    args: 'FILE',
    help: 'writes the chat as JSON',
    run: async ({ chat, note }, rest) => {
      await chat.save(fileOf(rest, 'save'));
      note(`saved as ${rest}`);
    },
  },
  load: {
    args: 'FILE',
    help: 'goes on with a saved chat instead of this one',
    run: ({ chat }, rest) => chat.load(fileOf(rest, 'load')),
  },
  retry: {
    help: 'another answer to the last message',
    run: ({ chat, signal }) => chat.retry(signal),
  },
  undo: {
    help: 'takes back the last message and its answer',
    run: ({ chat, note }) => {
      const text = chat.undo().replace(/\s+/g, ' ');
      note(`taken back: ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`);
    },
  },
  clear: {
    help: 'forgets everything but the system message',
    run: ({ chat, note }) => {
      chat.clear();
      note('a new chat');
    },
  },
  params: {
    args: '[name value]',
    help: 'shows or sets how answers are made; value "default" unsets',
    run: (context, rest) => {
      if (rest !== '') return setParameter(context, rest);
      const { parameters } = context.chat;
      const rows = PARAMETER_NAMES.map((name) => [name, String(parameters[name] ?? '-')]);
      for (const line of table(rows).split('\n')) context.note(line);
    },
  },
  stats: {
    help: 'what the context holds, and how fast answers were',
    run: ({ chat, note }) => {
      for (const line of chat.stats()) note(line);
    },
  },
  exit: { help: 'ends the chat', run: ({ exit }) => exit() },
} as const satisfies Record<string, ChatCommand>;

const NAMES = Object.keys(CHAT_COMMANDS) as (keyof typeof CHAT_COMMANDS)[];

/** Does what was entered. @throws usage error: an unknown command; what the command throws. */
export async function perform(input: ChatInput, context: CommandContext): Promise<void> {
  if (input.kind === 'message') return context.chat.say(input.text, context.signal);
  const name = NAMES.find((one) => one === input.name);
  if (!name) throw usageError(`/${input.name} is no command; /help lists them`);
  const command: ChatCommand = CHAT_COMMANDS[name];
  await command.run(context, input.rest);
}

/** Completes names of commands and parameters, as readline wants it; elsewhere a tab is a tab. */
export function complete(line: string): [string[], string] {
  if (!line.startsWith('/')) return [[`${line}\t`], line];
  const names = [...NAMES.map((name) => `/${name}`), ...PARAMETER_NAMES.map((name) => `/params ${name}`)];
  const found = names.filter((name) => name.startsWith(line) && (line.includes(' ') || !name.includes(' ')));
  return [found, line];
}
