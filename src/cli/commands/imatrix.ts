/** `bitmill imatrix`: an importance matrix of a model from calibration texts, and merging of several. */
import type { Command } from 'commander';
import { usageError } from '../../core/index.ts';
import { checkAgainstModel, type ImportanceMatrix, ImportanceSum } from '../../imatrix/index.ts';
import { isSameFile } from '../../platform/index.ts';
import { ggufPath } from '../embedded.ts';
import { addEngineOptions, type EngineFlags, withEngine } from '../engine.ts';
import { modelName, withGguf } from '../gguf.ts';
import { FORMS, formOf, readImportanceFile, writeImportanceFile } from '../imatrix-files.ts';
import { type ImportanceOutcome, type ImportanceSettings, measureImportance } from '../importance.ts';
import { collect, parseChoice, parseWhole } from '../option-values.ts';
import { printJson, terminalProgress } from '../terminal.ts';
import { defineImatrixShow } from './imatrix-show.ts';

interface Flags extends Omit<EngineFlags, 'model'> {
  readonly model?: string;
  readonly file: string[];
  readonly chat: string[];
  readonly tokens: string[];
  readonly output?: string;
  readonly ctxSize: string;
  readonly chunks?: string;
  readonly skip: string;
  readonly format?: string;
  readonly from: string[];
  readonly processOutput?: boolean;
  readonly parseSpecial?: boolean;
  readonly ppl: boolean;
  readonly saveEvery: string;
  readonly restart?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Longest chunk: the longest context of any model by far. */
const MAX_CHUNK = 2 ** 20;

const EXAMPLES = `
Examples:
  bitmill imatrix -m model-bf16.gguf -f calibration.txt
  bitmill imatrix -m model-bf16.gguf -f general.txt -f code.txt=2 --chat chats.jsonl --memory 4GiB
  bitmill imatrix --from a.imatrix.gguf --from b.dat -o both.imatrix.gguf
  bitmill imatrix show model.imatrix.gguf --png map.png

A text is cut into chunks of -c tokens; each begins with the model's BOS token, if it has one, and is a sequence of its
own. What is left over at the end of a text is dropped. --skip and --chunks count in each text. A weight (FILE=2)
multiplies the text's share. The result is the same for any --memory, --threads and --save-every.
An interrupted run goes on when it is started again; what it has so far stands in OUTPUT.partial.gguf.`;

export function defineImatrix(command: Command): void {
  command
    .name('imatrix')
    .description(
      'measure which columns of the weights matter, on calibration texts; merge and show such files',
    )
    .enablePositionalOptions();
  addEngineOptions(command, 'f32', 'optional')
    .option('-f, --file <text[=weight]>', 'calibration text in UTF-8; repeatable', collect, [])
    .option('--chat <jsonl[=weight]>', 'conversations, one a line, through the chat template', collect, [])
    .option('--tokens <ids[=weight]>', 'token ids in decimal, parted by white space', collect, [])
    .option('-o, --output <file>', 'importance matrix (default: MODEL.imatrix.gguf in this folder)')
    .option('-c, --ctx-size <n>', 'tokens a chunk', '512')
    .option('--chunks <n>', 'at most that many chunks of each text')
    .option('--skip <n>', 'leave out the first chunks of each text', '0')
    .option(`--format <${FORMS.join('|')}>`, 'form of the output (default: by its name, else gguf)')
    .option(
      '--from <file>',
      'add to this importance matrix; repeatable; without texts: only merge',
      collect,
      [],
    )
    .option('--process-output', 'also for output.weight')
    .option('--parse-special', 'read <|user|> and the like in texts as control tokens')
    .option('--no-ppl', 'no perplexity on the way, which saves the output matrix')
    .option('--save-every <n>', 'chunks between partial files; 0: none', '10')
    .option('--restart', 'start afresh where an interrupted run left a partial file')
    .option('--json', 'print the result as JSON')
    .option('-q, --quiet', 'no progress')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => imatrix(flags));
  defineImatrixShow(command.command('show'));
}

function hasTexts({ file, chat, tokens }: Flags): boolean {
  return file.length + chat.length + tokens.length > 0;
}

function readSettings(flags: Flags): ImportanceSettings {
  const { model, output } = flags;
  if (output === undefined && model === undefined)
    throw usageError('no output named', 'name it with -o FILE');
  const format = flags.format === undefined ? undefined : parseChoice('--format', flags.format, FORMS);
  const file = output ?? `${modelName(model ?? '')}.imatrix.${format ?? 'gguf'}`;
  if (file === '') throw usageError('-o: the output has no name');
  return {
    output: file,
    form: format ?? formOf(file),
    chunkSize: parseWhole('-c', flags.ctxSize, 2, MAX_CHUNK),
    limit:
      flags.chunks === undefined ? Number.POSITIVE_INFINITY : parseWhole('--chunks', flags.chunks, 1, 1e9),
    skip: parseWhole('--skip', flags.skip, 0, 1e9),
    saveEvery: parseWhole('--save-every', flags.saveEvery, 0, 1e9),
    texts: flags,
    parseSpecial: flags.parseSpecial ?? false,
    processOutput: flags.processOutput ?? false,
    perplexity: flags.ppl,
    restart: flags.restart ?? false,
    quiet: (flags.quiet ?? false) || (flags.json ?? false),
  };
}

/** An entry that only one of two has. */
function oddEntry(a: ImportanceMatrix, b: ImportanceMatrix): string | undefined {
  const missing = (one: ImportanceMatrix, other: ImportanceMatrix) =>
    [...one.entries.keys()].find((name) => !other.entries.has(name));
  return missing(a, b) ?? missing(b, a);
}

/** Only files: added up, written. */
async function merge(
  model: string | undefined,
  settings: ImportanceSettings,
  from: readonly ImportanceMatrix[],
): Promise<ImportanceOutcome> {
  if (model !== undefined) {
    await withGguf(model, async ({ tensors }) => {
      for (const matrix of from) checkAgainstModel(matrix, tensors);
    });
  }
  const { warn } = terminalProgress();
  if (from.length > 1 && from.some(({ form }) => form === 'dat')) {
    warn(
      '.dat files do not say how many tokens a chunk had: 512 is taken, which decides how much they weigh',
    );
  }
  const sum = new ImportanceSum();
  for (const matrix of from) {
    const odd = oddEntry(from[0], matrix);
    if (odd !== undefined) warn(`${odd} is in only one of ${from[0].name} and ${matrix.name}: of one model?`);
    sum.addMatrix(matrix);
  }
  const matrix = sum.finish(settings.output, settings.form);
  await writeImportanceFile(settings.output, matrix);
  return { matrix, perplexity: undefined, resumed: 0 };
}

function report({ matrix, perplexity, resumed }: ImportanceOutcome, flags: Flags, seconds: number): void {
  const { entries, chunkCount, chunkSize, datasets, name, form } = matrix;
  if (flags.json) {
    printJson({
      file: name,
      form,
      entries: entries.size,
      chunks: chunkCount,
      chunk_size: chunkSize,
      datasets,
      ppl: perplexity?.value ?? null,
      ppl_se: perplexity?.error ?? null,
      ppl_tokens: perplexity?.tokens ?? 0,
      resumed_chunks: resumed,
      seconds,
    });
    return;
  }
  if (perplexity) {
    const error = perplexity.error === undefined ? '' : ` ± ${perplexity.error.toFixed(4)}`;
    process.stdout.write(
      `perplexity ${perplexity.value.toFixed(4)}${error} over ${perplexity.tokens} tokens\n`,
    );
  }
  process.stderr.write(
    `${entries.size} entries from ${chunkCount} ${chunkCount === 1 ? 'chunk' : 'chunks'} in ${seconds.toFixed(1)} s: ${name}\n`,
  );
}

async function imatrix(named: Flags): Promise<void> {
  const flags =
    named.model === undefined ? named : { ...named, model: await ggufPath(named.model, 'original') };
  if (!hasTexts(flags) && flags.from.length === 0) {
    throw usageError(
      'no text named',
      'name texts with -f, --chat or --tokens, or files to merge with --from',
    );
  }
  const settings = readSettings(flags);
  const { model } = flags;
  for (const input of [...flags.from, ...(model === undefined ? [] : [model])]) {
    if (await isSameFile(settings.output, input)) {
      throw usageError(`${settings.output} is an input itself`, 'name another output');
    }
  }
  const started = performance.now();
  const from: ImportanceMatrix[] = [];
  for (const file of flags.from) from.push(await readImportanceFile(file));
  let outcome: ImportanceOutcome;
  if (!hasTexts(flags)) outcome = await merge(model, settings, from);
  else {
    if (model === undefined) throw usageError('no model named', 'name it with -m FILE');
    const needs = () => ({ contextSize: settings.chunkSize });
    outcome = await withEngine({ ...flags, model }, needs, (engine) =>
      measureImportance(engine, settings, from),
    );
  }
  report(outcome, flags, (performance.now() - started) / 1000);
}
