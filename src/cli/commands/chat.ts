/** `bitmill chat`: a conversation with a model, in a terminal or by lines. */
import path from 'node:path';
import type { Command } from 'commander';
import { Conversation, OVERFLOW_POLICIES, Session } from '../../generate/index.ts';
import { cacheFolder } from '../../platform/index.ts';
import { chatTemplateOf, tokenizerOf } from '../../text/index.ts';
import { Chat, type ChatView } from '../chat/chat.ts';
import { loadChat } from '../chat/chat-file.ts';
import { noHistory, openHistory } from '../chat/history.ts';
import { chatByLines } from '../chat/piped-chat.ts';
import { chatInTerminal } from '../chat/terminal-chat.ts';
import { jsonView, plainView, terminalView } from '../chat/views.ts';
import { addEngineOptions, type EngineFlags, withEngine } from '../engine.ts';
import {
  addGenerationOptions,
  type GenerationFlags,
  generationNeeds,
  type Parameters,
  parametersOf,
} from '../generation-options.ts';
import { parseChoice } from '../option-values.ts';

interface Flags extends EngineFlags, GenerationFlags {
  readonly system?: string;
  readonly load?: string;
  readonly onOverflow: string;
  readonly history: boolean;
  readonly json?: boolean;
}

/** Answers that differ from each other, without the unlikely ones. `run` is for the same answer every time. */
const DEFAULTS: Parameters = { temperature: 0.7, 'top-p': 0.95 };

const EXPLANATION = `
Examples:
  bitmill chat -m model-Q4_K_M.gguf
  bitmill chat -m model-Q4_K_M.gguf --system "You are a pirate." --temperature 0
  printf 'My name is Ada.\\nWhat is my name?\\n' | bitmill chat -m model-Q4_K_M.gguf

Every line is a message. A line that ends in \\ goes on with the next; """ begins and ends a message of several lines;
pasted lines are one message. /help lists the commands, Ctrl-C stops an answer, Ctrl-D ends the chat.

A chat that is longer than the context is an error, unless --on-overflow says what the model does not see then: shift
leaves out the oldest turns after the system message, truncate the oldest text of the longest message; both leave a
quarter of the context to the answer, or less where --tokens asks for less.

Without a terminal at stdin, or with --json, lines are taken without a prompt, commands among them; answers go to stdout,
and the first error ends the chat. A message that begins with / stands between """ and """.

Entered lines are kept in history in $BITMILL_CACHE, $XDG_CACHE_HOME/bitmill or ~/.cache/bitmill.`;

export function defineChat(command: Command): void {
  command.name('chat').description('talk with a model');
  addEngineOptions(command, 'f16')
    .option('--system <text>', 'what the system says first')
    .option('--load <file>', 'go on with a chat from /save, or of one line of JSON lines');
  addGenerationOptions(command, DEFAULTS)
    .option(
      `--on-overflow <${OVERFLOW_POLICIES.join('|')}>`,
      'what happens to a chat longer than the context',
      'error',
    )
    .option('--no-history', 'neither read nor keep the lines that are entered')
    .option('--json', 'an answer is a line of JSON')
    .addHelpText('after', EXPLANATION)
    .action((flags: Flags) => chat(flags));
}

async function chat(flags: Flags): Promise<void> {
  const parameters = parametersOf(flags);
  const policy = parseChoice('--on-overflow', flags.onOverflow, OVERFLOW_POLICIES);
  const needs = generationNeeds(flags);
  const saved = flags.load === undefined ? undefined : await loadChat(flags.load);
  const model = path.basename(flags.model);
  const interactive = Boolean(process.stdin.isTTY) && !flags.json;
  const view = interactive ? terminalView() : flags.json ? jsonView(flags.model) : plainView();
  await withEngine(flags, needs, async (engine) => {
    const { file } = engine.model;
    const tokenizer = tokenizerOf(file);
    const template = chatTemplateOf(file, tokenizer);
    const session = await Session.open(engine);
    try {
      const conversation = new Conversation(session, tokenizer, template);
      const { stop } = flags;
      const talk = new Chat(conversation, { model, policy, stop }, parameters, view);
      if (flags.load !== undefined && saved) talk.restore(saved, flags.load);
      if (flags.system !== undefined) talk.system = flags.system;
      if (interactive) {
        view.note(`${model}: ${engine.contextSize} positions; /help lists the commands`);
        await inTerminal(talk, view, flags);
      } else await chatByLines(talk, process.stdin, view.note);
    } finally {
      session.close();
    }
  });
}

function inTerminal(talk: Chat, { note }: ChatView, flags: Flags): Promise<void> {
  const file = path.join(cacheFolder(), 'history');
  return chatInTerminal(talk, { history: flags.history ? openHistory(file, note) : noHistory, note });
}
