/** `bitmill perplexity`: how well a model predicts a text, and how far a quant is from its original. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { BitmillError, EXIT_CODES, inputError, usageError } from '../../core/index.ts';
import { BASE_FORMS, checkSettings, type KlBase, type Resamples, resample } from '../../evaluate/index.ts';
import { getString, parseShardName } from '../../gguf/index.ts';
import { fileError } from '../../platform/index.ts';
import { addEngineOptions, type EngineFlags } from '../engine.ts';
import { comparisonJson, comparisonText, measurementJson, measurementText } from '../figures.ts';
import { withGguf } from '../gguf.ts';
import { type Measured, type MeasureOptions, measureModel, withBase } from '../measuring.ts';
import { parseChoice, parseWhole } from '../option-values.ts';
import { printJson, terminalProgress } from '../terminal.ts';

interface Flags extends Omit<EngineFlags, 'model'> {
  readonly model?: string;
  readonly file?: string;
  readonly tokens?: string;
  readonly ctxSize?: string;
  readonly chunks?: string;
  readonly stride?: string;
  readonly klBase?: string;
  readonly saveKlBase?: string;
  readonly baseFormat: string;
  readonly models?: string;
  readonly parseSpecial?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Above every context in use. */
const MAX_CONTEXT = 2 ** 24;

const EXAMPLES = `
Examples:
  bitmill perplexity -m model-Q4_K_M.gguf -f wiki.txt
  bitmill perplexity -m model-f16.gguf -f wiki.txt --chunks 50 --save-kl-base base.gguf
  bitmill perplexity -m model-Q4_K_M.gguf --kl-base base.gguf
  bitmill perplexity --models quants/ --kl-base base.gguf

Chunks of --ctx-size tokens are scored in their second halves. With --stride N windows overlap: each starts N tokens
after the one before, and its last N tokens are scored. A base tells text, context and stride itself.`;

export function definePerplexity(command: Command): void {
  command.name('perplexity').description('measure perplexity on a text, and KL divergence from an original');
  addEngineOptions(command, 'f32', 'optional')
    .option('-f, --file <text>', 'text in UTF-8 (default with --kl-base: the tokens of the base)')
    .option('--tokens <ids>', 'token ids in decimal, parted by white space, instead of a text')
    .option('-c, --ctx-size <n>', 'tokens that the model sees at once (default: 512)')
    .option('--chunks <n>', 'at most that many chunks')
    .option('--stride <n>', 'overlapping windows that many tokens apart (default: chunks)')
    .option('--kl-base <file>', "compare with this base, bitmill's or llama.cpp's")
    .option('--save-kl-base <file>', 'write a base of this model')
    .option(`--base-format <${BASE_FORMS.join('|')}>`, 'form of the base that is written', BASE_FORMS[0])
    .option('--models <dir>', 'measure every model of a folder, one table')
    .option('--parse-special', 'read <|user|> and the like in the text as control tokens')
    .option('--json', 'print JSON')
    .option('-q, --quiet', 'no progress')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => perplexity(flags));
}

function textOf({ file, tokens }: Flags): MeasureOptions['text'] {
  if (file !== undefined && tokens !== undefined) throw usageError('-f and --tokens: one of them');
  if (file !== undefined) return { file, kind: 'text' };
  return tokens === undefined ? undefined : { file: tokens, kind: 'ids' };
}

function readOptions(flags: Flags, model: string): MeasureOptions {
  const { ctxSize, stride, chunks, saveKlBase, klBase } = flags;
  if (saveKlBase !== undefined && klBase !== undefined) {
    throw usageError('--save-kl-base and --kl-base: one of them', 'the tokens of a base are in it already');
  }
  const form = parseChoice('--base-format', flags.baseFormat, BASE_FORMS);
  const options: MeasureOptions = {
    engine: { ...flags, model },
    text: textOf(flags),
    parseSpecial: flags.parseSpecial ?? false,
    contextSize: ctxSize === undefined ? undefined : parseWhole('-c', ctxSize, 4, MAX_CONTEXT),
    stride: stride === undefined ? undefined : parseWhole('--stride', stride, 1, MAX_CONTEXT),
    limit: chunks === undefined ? Number.POSITIVE_INFINITY : parseWhole('--chunks', chunks, 1, 1e9),
    save: saveKlBase === undefined ? undefined : { file: saveKlBase, form },
    quiet: flags.quiet ?? false,
    echo: !flags.quiet && !flags.json && flags.models === undefined,
  };
  if (!options.text && klBase === undefined) {
    throw usageError('no text named', 'name one with -f FILE, or a base with --kl-base FILE');
  }
  if (klBase === undefined) checkSettings({ contextSize: 512, stride: 0, ...defined(options) });
  return options;
}

/** Only the settings that were given. */
function defined({ contextSize, stride }: MeasureOptions): { contextSize?: number; stride?: number } {
  return {
    ...(contextSize === undefined ? {} : { contextSize }),
    ...(stride === undefined ? {} : { stride }),
  };
}

async function perplexity(flags: Flags): Promise<void> {
  const { model, models, klBase, saveKlBase } = flags;
  if (models === undefined) {
    if (model === undefined)
      throw usageError('no model named', 'name it with -m FILE, or a folder with --models');
    const options = readOptions(flags, model);
    printOne(await withBase(klBase, (base) => measureModel(options, base)), flags);
    return;
  }
  if (saveKlBase !== undefined) {
    if (model === undefined)
      throw usageError('--save-kl-base: no model named', 'name the original with -m FILE');
    await measureModel(readOptions(flags, model), undefined);
  } else if (model !== undefined) {
    throw usageError('-m and --models: one of them', 'with --save-kl-base both: the original and its quants');
  }
  await withBase(klBase ?? saveKlBase, (base) => measureFolder(models, flags, base));
}

function printOne({ measurement, occasion }: Measured, { json }: Flags): void {
  if (json) printJson(measurementJson(measurement, occasion));
  else process.stdout.write(measurementText(measurement, occasion));
}

/** Whether a GGUF is a model, not an importance matrix or a base; what is wrong with a broken one is told when it is measured. */
async function isModel(file: string): Promise<boolean> {
  try {
    return await withGguf(file, async ({ metadata, name }) => {
      const type = getString(metadata, 'general.type', name);
      return metadata.has('general.architecture') && (type === undefined || type === 'model');
    });
  } catch (error) {
    if (error instanceof BitmillError) return true;
    throw error;
  }
}

/** GGUF models of a folder, of split ones the first shard. @throws input error: no folder, or none in it. */
async function modelsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw fileError(folder, error);
  });
  const files: string[] = [];
  for (const name of names.filter((one) => /\.gguf$/i.test(one)).sort()) {
    const shard = parseShardName(name);
    if (shard && shard.index > 0) continue;
    const file = path.join(folder, name);
    if (await isModel(file)) files.push(file);
  }
  if (files.length === 0) throw inputError(folder, 'there is no GGUF model in it');
  return files;
}

/** One after the other; what fails is told, and the others go on. */
async function measureFolder(folder: string, flags: Flags, base: KlBase | undefined): Promise<void> {
  const { saveKlBase: _saved, ...others } = flags;
  const own = base && flags.klBase === undefined ? withoutText(others, base) : others;
  const draws = new Map<number, Resamples>();
  const resamplesOf = (chunks: number): Resamples => {
    const drawn = draws.get(chunks) ?? resample(chunks);
    draws.set(chunks, drawn);
    return drawn;
  };
  const measured: Measured[] = [];
  let failure: BitmillError | undefined;
  for (const file of await modelsIn(folder)) {
    try {
      measured.push(await measureModel(readOptions(own, file), base, resamplesOf));
    } catch (error) {
      if (!(error instanceof BitmillError) || error.kind === 'usage') throw error;
      failure = error;
      terminalProgress().warn(`left out: ${error.message}`);
    }
  }
  if (measured.length === 0) throw failure ?? inputError(folder, 'there is no model in it');
  const [{ occasion }] = measured;
  const measurements = measured.map(({ measurement }) => measurement);
  if (flags.json) printJson(comparisonJson(measurements, occasion));
  else process.stdout.write(comparisonText(measurements, occasion));
  if (failure) process.exitCode = EXIT_CODES[failure.kind];
}

/** The base that was just written has the tokens. */
function withoutText(flags: Omit<Flags, 'saveKlBase'>, base: KlBase): Flags {
  const { file: _file, tokens: _tokens, chunks: _chunks, ...rest } = flags;
  return { ...rest, klBase: base.name };
}
