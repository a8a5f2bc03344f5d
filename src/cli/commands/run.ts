/** `bitmill run`: one answer of a model, written as it comes. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { usageError } from '../../core/index.ts';
import { type GenerationEnd, generate, Session } from '../../generate/index.ts';
import type { GgufFile } from '../../gguf/index.ts';
import { type ChatMessage, chatTemplateOf, type Tokenizer, tokenizerOf } from '../../text/index.ts';
import { type Answer, answer, statsText } from '../answers.ts';
import { addConstraintOptions, type ConstraintFlags, constraintOf, grammarOf } from '../constraints.ts';
import { addEngineOptions, type EngineFlags, withEngine } from '../engine.ts';
import {
  addGenerationOptions,
  type GenerationFlags,
  generationNeeds,
  generationOptions,
  parametersOf,
} from '../generation-options.ts';
import { printJson, withoutControls } from '../terminal.ts';

interface Flags extends EngineFlags, GenerationFlags, ConstraintFlags {
  readonly prompt: string;
  readonly system?: string;
  readonly raw?: boolean;
  readonly json?: boolean;
  readonly stats?: boolean;
}

const EXAMPLES = `
Examples:
  bitmill run -m model-Q4_K_M.gguf -p "What is the capital of France?"
  cat letter.txt | bitmill run -m model-Q4_K_M.gguf --system "Summarize." -p -
  bitmill run -m model-Q4_K_M.gguf --json-schema person.json -p "Invent a person."
  bitmill run -m model-Q4_K_M.gguf --raw -p "Once upon a time" --temperature 0.8 --seed 1

Without --temperature the most likely token is always taken, so the same prompt gives the same answer.
Control characters in the answer do not reach a terminal; a file or a pipe gets the text as it is.`;

export function defineRun(command: Command): void {
  command.name('run').description('let a model answer one prompt');
  addEngineOptions(command, 'f16')
    .requiredOption('-p, --prompt <text>', 'what the user says; -: read it from stdin')
    .option('--system <text>', 'what the system says first')
    .option('--raw', 'no chat template: the model goes on from the text');
  addGenerationOptions(command)
    .option('--stats', 'tokens a second on stderr')
    .option('--json', 'print the answer as JSON when it is whole');
  addConstraintOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run(flags));
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

function show(text: string): void {
  process.stdout.write(process.stdout.isTTY ? withoutControls(text) : text);
}

async function run(flags: Flags): Promise<void> {
  const options = { ...generationOptions(parametersOf(flags)), stop: flags.stop };
  const grammar = grammarOf(flags);
  await withEngine(flags, generationNeeds(flags), async (engine) => {
    const { file } = engine.model;
    const tokenizer = tokenizerOf(file);
    const prompt = promptTokens(flags, tokenizer, file);
    const session = await Session.open(engine);
    const interrupt = interruptSignal();
    try {
      const settings = { ...options, ...constraintOf(grammar, tokenizer), signal: interrupt.signal };
      const whole = await answer(
        generate(session, tokenizer, prompt, settings),
        flags.json ? () => {} : show,
      );
      if (flags.json) printJson(jsonOf(flags, prompt.length, whole));
      else process.stdout.write('\n');
      if (flags.stats) process.stderr.write(statsText(prompt.length, whole));
    } finally {
      interrupt.done();
      session.close();
    }
  });
}

function jsonOf(
  { model }: Flags,
  promptTokens: number,
  { text, end, seconds: [first, rest] }: Answer<GenerationEnd>,
) {
  return {
    model,
    text,
    finish_reason: end.reason,
    prompt_tokens: promptTokens,
    completion_tokens: end.tokens,
    prompt_seconds: first,
    completion_seconds: rest,
  };
}
