/** Measuring models for the command line: which tokens, against which base, with progress. */
import path from 'node:path';
import { type ByteSource, inputError, type Progress, usageError } from '../core/index.ts';
import {
  type BaseForm,
  type BaseRecorder,
  baseWindows,
  checkModelFits,
  checkSettingsFit,
  checkTextFits,
  checkTokens,
  hashVocabulary,
  type KlBase,
  measure,
  type Resamples,
  type Running,
  readBase,
  recordBase,
  resample,
  type Scores,
  summarize,
  type Window,
  type WindowSettings,
  windowsOf,
} from '../evaluate/index.ts';
import { DEFAULT_BATCH, type Engine, walkLength } from '../generate/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import { parseTokenIds } from '../imatrix/index.ts';
import { openSource } from '../platform/index.ts';
import { type Tokenizer, tokenizerOf } from '../text/index.ts';
import { type EngineFlags, type EngineNeeds, withEngine } from './engine.ts';
import type { Measurement, Occasion } from './figures.ts';
import { writeOutput } from './output.ts';
import { terminalProgress } from './terminal.ts';
import { readTextFile } from './texts.ts';

/** As llama.cpp's tool has it. */
const DEFAULT_CONTEXT = 512;

/** What the options of `perplexity` ask for. */
export interface MeasureOptions {
  readonly engine: EngineFlags;
  /** Text in UTF-8, or token ids; undefined: the tokens of the base. */
  readonly text: { readonly file: string; readonly kind: 'text' | 'ids' } | undefined;
  readonly parseSpecial: boolean;
  readonly contextSize: number | undefined;
  readonly stride: number | undefined;
  /** Chunks at most. */
  readonly limit: number;
  /** The limit was not asked for: a text with fewer chunks is nothing to warn of. */
  readonly limitIsDefault?: boolean;
  readonly save: { readonly file: string; readonly form: BaseForm } | undefined;
  readonly quiet: boolean;
  /** Default: a bar. */
  readonly progress?: Progress;
  /** Without a terminal, a line that grows by the estimate after each chunk. */
  readonly echo: boolean;
}

/** A base file for the length of a command. */
export async function withBase<T>(
  file: string | undefined,
  use: (base: KlBase | undefined) => Promise<T>,
): Promise<T> {
  if (file === undefined) return use(undefined);
  const source: ByteSource = await openSource(file);
  try {
    return await use(await readBase(source));
  } finally {
    await source.close?.();
  }
}

/** Tokens of the text as the model's own tokenizer has them. */
interface Subject {
  readonly place: string;
  readonly tokens: Int32Array;
  readonly windows: readonly Window[];
  readonly settings: WindowSettings;
}

async function readTokens(
  { text, parseSpecial }: MeasureOptions,
  tokenizer: Tokenizer,
): Promise<{ place: string; tokens: Int32Array } | undefined> {
  if (!text) return undefined;
  const content = await readTextFile(text.file);
  if (content.trim() === '') throw inputError(text.file, 'is empty: there is nothing to measure');
  if (text.kind === 'ids') return { place: text.file, tokens: parseTokenIds(text.file, content) };
  return {
    place: text.file,
    tokens: tokenizer.encode(content, { special: parseSpecial, bos: true }),
  };
}

async function subjectOf(
  engine: Engine,
  options: MeasureOptions,
  base: KlBase | undefined,
): Promise<Subject> {
  const { file, hyper } = engine.model;
  const { name } = file;
  const { vocabulary } = hyper;
  const tokenizer = tokenizerOf(file);
  const bos = tokenizer.addBos ? tokenizer.bos : undefined;
  if (base) checkModelFits(base, { name, vocabulary, vocabularyHash: await hashVocabulary(file), bos });
  const own = await readTokens(options, tokenizer);
  if (own) checkTokens(own.tokens, vocabulary, own.place);
  if (base) {
    if (own) checkTextFits(base, own.tokens, own.place);
    const settings = { ...base.settings, bos };
    const place = base.origin?.text ?? base.name;
    return { place, tokens: base.tokens, settings, windows: baseWindows(base, bos, options.limit) };
  }
  if (!own) throw usageError('no text named', 'name one with -f FILE, or a base with --kl-base FILE');
  const settings = { contextSize: engine.contextSize, stride: options.stride ?? 0, bos };
  return { ...own, settings, windows: windowsOf(own.tokens, settings, own.place, options.limit) };
}

function warnings(
  engine: Engine,
  { limit, limitIsDefault = false }: MeasureOptions,
  windows: number,
): string[] {
  const { file, hyper } = engine.model;
  const lines: string[] = [];
  if (engine.contextSize > hyper.contextLength) {
    const name = path.basename(file.name);
    lines.push(
      `${name} was trained for ${hyper.contextLength} positions, the context has ${engine.contextSize}`,
    );
  }
  if (Number.isFinite(limit) && windows < limit && !limitIsDefault) {
    lines.push(`there are ${windows} chunks, ${limit} were asked for`);
  }
  return lines;
}

/** `[1]12.34,[2]12.41,` as llama.cpp's tool has it. */
function echoEstimates(total: number): (running: Running) => void {
  let told = 0;
  return ({ windows, ppl }) => {
    if (windows === told) return;
    told = windows;
    process.stderr.write(`[${windows}]${ppl.toFixed(4)},${windows === total ? '\n' : ''}`);
  };
}

function runningText({ ppl, divergence }: Running): string {
  return `PPL ${ppl.toPrecision(6)}${divergence === undefined ? '' : `, KL ${divergence.toPrecision(4)}`}`;
}

async function scoresOf(
  engine: Engine,
  subject: Subject,
  options: MeasureOptions,
  base: KlBase | undefined,
  recorder: BaseRecorder | undefined,
): Promise<Scores> {
  const { windows } = subject;
  const progress = options.progress ?? terminalProgress({ quiet: options.quiet });
  for (const line of warnings(engine, options, windows.length)) progress.warn(line);
  const chunks = windows.map(({ input }) => input);
  const tokens = chunks.reduce((sum, { length }) => sum + length, 0);
  const perToken = walkLength(engine, chunks) / tokens;
  progress.start(path.basename(engine.model.file.name), tokens, 'tokens');
  const echo = options.echo && !process.stderr.isTTY ? echoEstimates(windows.length) : undefined;
  let [done, note] = [0, ''];
  try {
    return await measure(engine, {
      windows,
      base,
      recorder,
      running: (running) => {
        note = runningText(running);
        progress.update(done, note);
        echo?.(running);
      },
      progress: (steps) => {
        done = Math.floor(steps / perToken);
        progress.update(done, note);
      },
    });
  } finally {
    progress.stop();
  }
}

function weightsOf(file: GgufFile): number {
  return file.tensors.reduce((sum, { weights }) => sum + weights, 0);
}

/** What a model was measured on, and the result. */
export interface Measured {
  readonly measurement: Measurement;
  readonly occasion: Occasion;
}

/** What an engine must hold to measure. @throws input error: settings that are not those of the base. */
export function measuringNeeds(options: MeasureOptions, base: KlBase | undefined): EngineNeeds {
  if (base) checkSettingsFit(base, options);
  const contextSize = base?.settings.contextSize ?? options.contextSize ?? DEFAULT_CONTEXT;
  return { contextSize, reserve: base?.feedBytes(Math.min(DEFAULT_BATCH, contextSize)) ?? 0 };
}

/**
 * Measures the model of an engine; saves a base on the way if asked to.
 * @param resamplesOf draws of so many chunks, the same for all models of a command.
 */
export async function measureEngine(
  engine: Engine,
  options: MeasureOptions,
  base: KlBase | undefined,
  resamplesOf: (chunks: number) => Resamples = resample,
): Promise<Measured> {
  const { save, text } = options;
  const subject = await subjectOf(engine, options, base);
  const { file } = engine.model;
  const { windows, settings, tokens, place } = subject;
  let scores: Scores | undefined;
  if (save) {
    const plan = { engine, form: save.form, settings, tokens, windows: windows.length };
    await writeOutput(save.file, [file.name, ...(text ? [text.file] : [])], async (sink) => {
      const recorder = await recordBase(sink, { ...plan, text: path.basename(place) });
      scores = await scoresOf(engine, subject, options, base, recorder);
    });
  }
  scores ??= await scoresOf(engine, subject, options, base, undefined);
  return {
    measurement: {
      file: file.name,
      bytes: file.size,
      bitsPerWeight: (8 * file.tensors.reduce((sum, { bytes }) => sum + bytes, 0)) / weightsOf(file),
      summary: summarize(scores, resamplesOf(windows.length)),
    },
    occasion: {
      backend: engine.backend.name,
      level: engine.backend.level,
      text: path.basename(place),
      chunks: windows.length,
      contextSize: settings.contextSize,
      stride: settings.stride,
      base: base && { file: base.name, model: base.origin?.model },
    },
  };
}

/** Measures a model that is not open yet. */
export async function measureModel(
  options: MeasureOptions,
  base: KlBase | undefined,
  resamplesOf: (chunks: number) => Resamples = resample,
): Promise<Measured> {
  const needs = measuringNeeds(options, base);
  return withEngine(
    options.engine,
    () => needs,
    (engine) => measureEngine(engine, options, base, resamplesOf),
  );
}
