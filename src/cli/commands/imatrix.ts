/** `bitmill imatrix`: an importance matrix of a model from calibration texts, and merging of several. */
import path from 'node:path';
import type { Command } from 'commander';
import { usageError } from '../../core/index.ts';
import type { Engine } from '../../generate/index.ts';
import { type GgufFile, getBoolean, getNumber } from '../../gguf/index.ts';
import {
  bf16Origin,
  type ChunkGroup,
  type CollectState,
  checkAgainstModel,
  chunksOf,
  collectImportance,
  type ImportanceMatrix,
  ImportanceSum,
  type Perplexity,
  perplexityOf,
  type TokenText,
} from '../../imatrix/index.ts';
import { isSameFile } from '../../platform/index.ts';
import { addEngineOptions, type EngineFlags, withEngine } from '../engine.ts';
import { modelName, withGguf } from '../gguf.ts';
import { FORMS, type Form, formOf, readImportanceFile, writeImportanceFile } from '../imatrix-files.ts';
import { PartialFile, runIdentity } from '../imatrix-resume.ts';
import { collect, parseChoice, parseWhole } from '../option-values.ts';
import { printJson, terminalProgress } from '../terminal.ts';
import { readTexts } from '../texts.ts';
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

/** What the options say, checked. */
interface Settings {
  readonly output: string;
  readonly form: Form;
  readonly chunkSize: number;
  readonly limit: number;
  readonly skip: number;
  readonly saveEvery: number;
}

/** What a run found, for the last lines. */
interface Outcome {
  readonly matrix: ImportanceMatrix;
  readonly perplexity: Perplexity | undefined;
  /** Chunks of an earlier run that was interrupted. */
  readonly resumed: number;
}

/** Longest chunk: the longest context of any model by far. */
const MAX_CHUNK = 2 ** 20;

/** What shells report of a program that SIGINT ended. */
const INTERRUPTED = 130;

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

function readSettings(flags: Flags): Settings {
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
  };
}

/** Texts of one weight are one group: their chunks go through the model together. */
function groupsOf(texts: readonly TokenText[], settings: Settings, bos: number | undefined): ChunkGroup[] {
  const { chunkSize: size, skip, limit } = settings;
  const groups = new Map<number, Int32Array[]>();
  for (const text of texts) {
    const chunks = chunksOf(text, { size, bos, skip, limit });
    groups.set(text.weight, [...(groups.get(text.weight) ?? []), ...chunks]);
  }
  return [...groups].map(([weight, chunks]) => ({ weight, chunks }));
}

/** The token that each chunk begins with, where the file asks for one. */
function bosOf(file: GgufFile): number | undefined {
  const bos = getNumber(file.metadata, 'tokenizer.ggml.bos_token_id', file.name);
  const model = file.metadata.get('tokenizer.ggml.model');
  const add = getBoolean(file.metadata, 'tokenizer.ggml.add_bos_token', file.name);
  // SentencePiece vocabularies want it unless they say otherwise.
  return (add ?? model?.value === 'llama') ? bos : undefined;
}

async function warnOfModel(file: GgufFile, chunkSize: number, warn: (line: string) => void): Promise<void> {
  const origin = await bf16Origin(file);
  if (origin) {
    const lost = origin.below + origin.infinite;
    const share = ((100 * lost) / origin.sampled).toPrecision(2);
    warn(
      `${path.basename(file.name)} is an f16 conversion of a bf16 checkpoint` +
        `${lost > 0 ? `; ${share} % of its weights are out of f16's normal range and lost digits` : ''}; ` +
        'convert the checkpoint to bf16 or f32 instead (bitmill convert --dtype bf16)',
    );
  }
  const trained = getNumber(
    file.metadata,
    `${String(file.metadata.get('general.architecture')?.value)}.context_length`,
    file.name,
  );
  if (trained !== undefined && chunkSize > trained) {
    warn(`chunks of ${chunkSize} tokens are longer than the ${trained} that the model was trained for`);
  }
}

/** Everything added up so far: files, and the groups' sums times their weights. */
function sumUp(
  from: readonly ImportanceMatrix[],
  groups: readonly ChunkGroup[],
  state: CollectState,
  seen: { readonly datasets: readonly string[]; readonly chunkSize: number },
): ImportanceSum {
  const sum = new ImportanceSum();
  for (const matrix of from) sum.addMatrix(matrix);
  state.totals.forEach((totals, group) => {
    for (const [name, { sums, count }] of totals) {
      if (count > 0) sum.add('the model', name, { sums, counts: [count] }, groups[group].weight);
    }
  });
  sum.saw(seen.datasets, state.chunksDone, seen.chunkSize);
  return sum;
}

/** The line that says how to go on, when Ctrl-C ends the run. */
function onInterrupt(partial: PartialFile, saved: () => number): () => void {
  const stop = (): void => {
    const chunks = saved();
    const next =
      chunks > 0 ? `the same command goes on after chunk ${chunks} (${partial.file})` : 'nothing was saved';
    process.stderr.write(`\nstopped; ${next}\n`);
    process.exit(INTERRUPTED);
  };
  process.once('SIGINT', stop);
  return () => void process.removeListener('SIGINT', stop);
}

async function measure(
  engine: Engine,
  flags: Flags,
  settings: Settings,
  from: readonly ImportanceMatrix[],
): Promise<Outcome> {
  const { file } = engine.model;
  const progress = terminalProgress({ quiet: (flags.quiet ?? false) || (flags.json ?? false) });
  for (const matrix of from) checkAgainstModel(matrix, file.tensors);
  await warnOfModel(file, settings.chunkSize, progress.warn);
  if (flags.processOutput && !file.find('output.weight')) {
    progress.warn('--process-output: the model has no output.weight, its embedding serves as such');
  }
  const texts = await readTexts(file, flags, flags.parseSpecial ?? false);
  const groups = groupsOf(texts, settings, bosOf(file));
  const { chunkSize } = settings;
  const options = { chunkSize, processOutput: flags.processOutput ?? false, perplexity: flags.ppl };
  const partial = new PartialFile(
    settings.output,
    await runIdentity(engine, [options, flags.attention.toLowerCase()]),
    groups,
  );
  const state = await partial.open(flags.restart ?? false);
  const seen = { datasets: texts.map(({ name }) => name), chunkSize };
  const total = groups.reduce((sum, { chunks }) => sum + chunks.length, 0);
  const resumed = state.chunksDone;
  if (resumed > 0 && !flags.quiet) process.stderr.write(`goes on after chunk ${resumed} of ${total}\n`);
  let saved = resumed;
  let note = '';
  const release = onInterrupt(partial, () => saved);
  progress.start('importance', total * chunkSize, 'tokens');
  try {
    await collectImportance(
      engine,
      groups,
      {
        ...options,
        ...(settings.saveEvery > 0 ? { saveEvery: settings.saveEvery } : {}),
        save: async (reached) => {
          if (settings.saveEvery === 0 || reached.chunksDone === total) return;
          await partial.save(reached, sumUp(from, groups, reached, seen).finish('', 'gguf'));
          saved = reached.chunksDone;
        },
        onPerplexity: (chunk, { value }) => {
          note = `perplexity ${value.toFixed(4)}`;
          if (!process.stderr.isTTY && !flags.quiet && !flags.json) {
            process.stderr.write(`[${chunk}]${value.toFixed(4)},${chunk === total ? '\n' : ''}`);
          }
        },
        progress: (done) => progress.update(Math.floor(done), note),
      },
      state,
    );
    const matrix = sumUp(from, groups, state, seen).finish(settings.output, settings.form);
    await writeImportanceFile(settings.output, matrix);
    await partial.remove();
    return { matrix, perplexity: perplexityOf(state.loss), resumed };
  } finally {
    progress.stop();
    release();
  }
}

/** An entry that only one of two has. */
function oddEntry(a: ImportanceMatrix, b: ImportanceMatrix): string | undefined {
  const missing = (one: ImportanceMatrix, other: ImportanceMatrix) =>
    [...one.entries.keys()].find((name) => !other.entries.has(name));
  return missing(a, b) ?? missing(b, a);
}

/** Only files: added up, written. */
async function merge(flags: Flags, settings: Settings, from: readonly ImportanceMatrix[]): Promise<Outcome> {
  const { model } = flags;
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

function report({ matrix, perplexity, resumed }: Outcome, flags: Flags, seconds: number): void {
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

async function imatrix(flags: Flags): Promise<void> {
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
  let outcome: Outcome;
  if (!hasTexts(flags)) outcome = await merge(flags, settings, from);
  else {
    if (model === undefined) throw usageError('no model named', 'name it with -m FILE');
    const needs = () => ({ contextSize: settings.chunkSize });
    outcome = await withEngine({ ...flags, model }, needs, (engine) =>
      measure(engine, flags, settings, from),
    );
  }
  report(outcome, flags, (performance.now() - started) / 1000);
}
