/** `bitmill template`: a chat as the model sees it, through the template in its file. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { inputError, usageError } from '../../core/index.ts';
import { type Tool, toolUse } from '../../generate/index.ts';
import { quoted } from '../../gguf/index.ts';
import { type ChatMessage, chatMessages, chatTemplateOf, tokenizerOf } from '../../text/index.ts';
import { withGguf } from '../gguf.ts';
import { printJson, table, withoutControls } from '../terminal.ts';
import { readTextFile } from '../texts.ts';
import { listTokens } from '../token-list.ts';

interface Flags {
  readonly model: string;
  readonly messages?: string;
  readonly prompt?: string;
  readonly system?: string;
  readonly tools?: string;
  readonly show?: boolean;
  readonly generationPrompt: boolean;
  readonly tokens?: boolean;
  readonly json?: boolean;
}

const STDIN = 0;

const EXAMPLES = `
Examples:
  bitmill template -m model-Q4_K_M.gguf -p "Hello"
  bitmill template -m model-Q4_K_M.gguf --messages chat.json --tokens
  bitmill template -m model-Q4_K_M.gguf --tools tools.json -p "Weather in Rome?"
  bitmill template -m model-Q4_K_M.gguf --show

A chat is a JSON list of messages, [{"role": "user", "content": "…"}, …], or an object with "messages"; tools are a list
as in OpenAI's API. --tokens shows what the model is fed: with BOS in front where its vocabulary wants it, and control
tokens only where the template wrote them.`;

async function readJson(option: string, file: string): Promise<unknown> {
  const text = file === '-' ? readFileSync(STDIN, 'utf8') : await readTextFile(file);
  try {
    return JSON.parse(text) as unknown;
  } catch (problem) {
    throw inputError(file === '-' ? 'stdin' : file, `${option}: is no JSON: ${(problem as Error).message}`);
  }
}

async function messagesOf({ messages, prompt, system }: Flags): Promise<readonly ChatMessage[]> {
  if (messages !== undefined && prompt !== undefined) throw usageError('--messages and -p: one of them');
  if (messages === undefined && prompt === undefined) {
    throw usageError('there is no chat', 'give --messages or -p; --show prints the template itself');
  }
  const first = system === undefined ? [] : [{ role: 'system', content: system }];
  if (messages === undefined) return [...first, { role: 'user', content: prompt }];
  const place = messages === '-' ? 'stdin' : messages;
  return [...first, ...chatMessages(await readJson('--messages', messages), place)];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws input error: no list of functions with names. */
async function toolsOf(file: string | undefined): Promise<readonly Tool[] | undefined> {
  if (file === undefined) return undefined;
  const list = await readJson('--tools', file);
  const isTool = (tool: unknown): tool is Tool =>
    isObject(tool) && isObject(tool.function) && typeof tool.function.name === 'string';
  if (Array.isArray(list) && list.every(isTool)) return list;
  throw inputError(
    file,
    '--tools: is no list of tools',
    '[{"type": "function", "function": {"name": "…", "parameters": {…}}}, …]',
  );
}

function showSource(source: string, { json, model }: Flags): void {
  if (json) printJson({ model, template: source });
  else print(source);
}

function print(text: string): void {
  process.stdout.write(`${process.stdout.isTTY ? withoutControls(text) : text}\n`);
}

async function run(flags: Flags): Promise<void> {
  if (flags.show && (flags.messages ?? flags.prompt ?? flags.tools) !== undefined) {
    throw usageError('--show prints the template itself: without --messages, -p and --tools');
  }
  const messages = flags.show ? [] : await messagesOf(flags);
  const tools = await toolsOf(flags.tools);
  await withGguf(flags.model, async (file) => {
    const tokenizer = tokenizerOf(file);
    const template = chatTemplateOf(file, tokenizer);
    if (flags.show) return showSource(template.source, flags);
    const use = toolUse(template, tokenizer, tools);
    const options = { generationPrompt: flags.generationPrompt };
    const text = use.render(messages, options);
    const tokens = listTokens(tokenizer, use.encode(messages, options));
    if (flags.json) printJson({ model: flags.model, text, ...(flags.tokens ? { tokens } : {}) });
    else if (flags.tokens) {
      print(
        table(
          tokens.map(({ id, text: piece }) => [String(id), quoted(piece, 200)]),
          [0],
        ),
      );
    } else print(text);
  });
}

export function defineTemplate(command: Command): void {
  command
    .name('template')
    .description("show a chat as the model sees it, through its file's chat template")
    .requiredOption('-m, --model <path>', 'GGUF file, or the name of an embedded model')
    .option('--messages <file>', 'the chat as JSON; -: from stdin')
    .option('-p, --prompt <text>', 'a chat of one message by the user')
    .option('--system <text>', 'what the system says first')
    .option('--tools <file>', 'tools that the model may call, as JSON; -: from stdin')
    .option('--show', 'print the template itself')
    .option('--no-generation-prompt', 'without what opens the answer')
    .option('--tokens', 'the ids, with their texts')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(run);
}
