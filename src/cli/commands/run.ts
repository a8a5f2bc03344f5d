/** `bitmill run`: one answer of a model, written as it comes. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { usageError } from '../../core/index.ts';
import { type GenerationOptions, SAMPLING_RANGES, Session } from '../../generate/index.ts';
import { type GgufFile, getNumber, getString } from '../../gguf/index.ts';
import { type ChatMessage, chatTemplateOf, type Tokenizer, tokenizerOf } from '../../text/index.ts';
import { type Answer, answer, statsText } from '../answers.ts';
import { addConstraintOptions, type ConstraintFlags, constraintOf, grammarOf } from '../constraints.ts';
import { addEngineOptions, type EngineFlags, withEngine } from '../engine.ts';
import { collect, parseWhole } from '../option-values.ts';
import { printJson } from '../terminal.ts';

interface Flags extends EngineFlags, ConstraintFlags {
  readonly prompt: string;
  readonly system?: string;
  readonly raw?: boolean;
  readonly ctxSize?: string;
  readonly tokens?: string;
  readonly temperature: string;
  readonly topK: string;
  readonly topP: string;
  readonly minP: string;
  readonly repetitionPenalty: string;
  readonly seed?: string;
  readonly stop: string[];
  readonly json?: boolean;
  readonly stats?: boolean;
}

/** Positions where the model allows more: enough for an answer, and its caches are small. */
const DEFAULT_CONTEXT = 4096;
const MAX_CONTEXT = 2 ** 24;

const EXAMPLES = `
Examples:
  bitmill run -m model-Q4_K_M.gguf -p "What is the capital of France?"
  cat letter.txt | bitmill run -m model-Q4_K_M.gguf --system "Summarize." -p -
  bitmill run -m model-Q4_K_M.gguf --json-schema person.json -p "Invent a person."
  bitmill run -m model-Q4_K_M.gguf --raw -p "Once upon a time" --temperature 0.8 --seed 1

Without --temperature the most likely token is always taken, so the same prompt gives the same answer.`;

export function defineRun(command: Command): void {
  command.name('run').description('let a model answer one prompt');
  addEngineOptions(command, 'f16')
    .requiredOption('-p, --prompt <text>', 'what the user says; -: read it from stdin')
    .option('--system <text>', 'what the system says first')
    .option('--raw', 'no chat template: the model goes on from the text')
    .option(
      '-c, --ctx-size <n>',
      `positions (default: ${DEFAULT_CONTEXT}, or what the model was trained for)`,
    )
    .option('-n, --tokens <n>', 'tokens at most (default: until the model ends, or the context)')
    .option('--temperature <x>', '0: always the most likely token', '0')
    .option('--top-k <n>', 'only so many of the most likely tokens; 0: all', '0')
    .option('--top-p <x>', 'only the most likely tokens with this share together', '1')
    .option('--min-p <x>', 'only tokens this many times as likely as the most likely', '0')
    .option('--repetition-penalty <x>', 'divides the logits of tokens that were seen', '1')
    .option('--seed <n>', 'of the random numbers (default: another one every time)')
    .option('--stop <text>', 'ends the answer; repeatable', collect, [])
    .option('--stats', 'tokens a second on stderr')
    .option('--json', 'print the answer as JSON when it is whole');
  addConstraintOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run(flags));
}

function number(option: string, text: string): number {
  if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
  throw usageError(`${option}: ${JSON.stringify(text)} is not a number`);
}

function optionsOf(flags: Flags): GenerationOptions {
  const { seed, tokens, stop } = flags;
  return {
    temperature: number('--temperature', flags.temperature),
    topK: number('--top-k', flags.topK),
    topP: number('--top-p', flags.topP),
    minP: number('--min-p', flags.minP),
    repetitionPenalty: number('--repetition-penalty', flags.repetitionPenalty),
    seed: seed === undefined ? undefined : parseWhole('--seed', seed, 0, SAMPLING_RANGES.seed.most),
    stop,
    ...(tokens === undefined ? {} : { maxTokens: parseWhole('-n', tokens, 0, MAX_CONTEXT) }),
  };
}

function promptTokens(flags: Flags, tokenizer: Tokenizer, model: GgufFile) {
  const said = flags.prompt === '-' ? readFileSync(0, 'utf8') : flags.prompt;
  if (flags.raw) {
    if (flags.system !== undefined) throw usageError('--system and --raw: one of them');
    return tokenizer.encode(said, { bos: true });
  }
  const messages: ChatMessage[] = [
    ...(flags.system === undefined ? [] : [{ role: 'system', content: flags.system }]),
    { role: 'user', content: said },
  ];
  return chatTemplateOf(model, tokenizer).encode(messages, { generationPrompt: true });
}

/** Ctrl-C ends the answer where it is; a second one ends the program. */
function interruptSignal(): { signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  const stop = () => controller.abort();
  process.once('SIGINT', stop);
  return { signal: controller.signal, done: () => void process.removeListener('SIGINT', stop) };
}

/** Positions that the model was trained for, as far as its file says so; whether it says it well is checked later. */
function trainedContext({ metadata, name }: GgufFile): number {
  const architecture = getString(metadata, 'general.architecture', name);
  return getNumber(metadata, `${architecture}.context_length`, name) ?? DEFAULT_CONTEXT;
}

async function run(flags: Flags): Promise<void> {
  const options = optionsOf(flags);
  const grammar = grammarOf(flags);
  const { ctxSize } = flags;
  const asked = ctxSize === undefined ? undefined : parseWhole('-c', ctxSize, 1, MAX_CONTEXT);
  const needs = (file: GgufFile) => ({
    contextSize: asked ?? Math.min(DEFAULT_CONTEXT, trainedContext(file)),
    relaxed: true,
  });
  await withEngine(flags, needs, async (engine) => {
    const { file } = engine.model;
    const tokenizer = tokenizerOf(file);
    const prompt = promptTokens(flags, tokenizer, file);
    const session = await Session.open(engine);
    const interrupt = interruptSignal();
    try {
      const show = flags.json ? () => {} : (text: string) => void process.stdout.write(text);
      const { signal } = interrupt;
      const constraint = constraintOf(grammar, tokenizer);
      const whole = await answer(session, tokenizer, prompt, { ...options, ...constraint, signal }, show);
      if (flags.json) printJson(jsonOf(flags, whole));
      else process.stdout.write('\n');
      if (flags.stats) process.stderr.write(statsText(whole));
    } finally {
      interrupt.done();
      session.close();
    }
  });
}

function jsonOf({ model }: Flags, { text, reason, promptTokens, tokens, seconds: [first, rest] }: Answer) {
  return {
    model,
    text,
    finish_reason: reason,
    prompt_tokens: promptTokens,
    completion_tokens: tokens,
    prompt_seconds: first,
    completion_seconds: rest,
  };
}
