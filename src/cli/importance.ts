/** One run of `bitmill imatrix`: texts through a model, partial files on the way, the importance matrix at the end. */
import path from 'node:path';
import type { Progress } from '../core/index.ts';
import type { Engine } from '../generate/index.ts';
import {
  bf16Origin,
  type ChunkGroup,
  type CollectOptions,
  type CollectState,
  checkAgainstModel,
  chunksOf,
  collectImportance,
  type ImportanceMatrix,
  ImportanceSum,
  type Perplexity,
  perplexityOf,
  type TokenText,
} from '../imatrix/index.ts';
import { type Form, writeImportanceFile } from './imatrix-files.ts';
import { PartialFile, runIdentity } from './imatrix-resume.ts';
import { terminalProgress } from './terminal.ts';
import { bosOf, readTexts, type TextFiles } from './texts.ts';

/** What the options say, checked. */
export interface ImportanceSettings {
  readonly texts: TextFiles;
  readonly parseSpecial: boolean;
  readonly output: string;
  readonly form: Form;
  readonly chunkSize: number;
  /** Chunks of each text: at most so many after so many. */
  readonly limit: number;
  readonly skip: number;
  /** Chunks between partial files; 0: none. */
  readonly saveEvery: number;
  readonly processOutput: boolean;
  readonly perplexity: boolean;
  /** Throws a partial file away; `changed`: one that another run left. */
  readonly restart: boolean | 'changed';
  readonly quiet: boolean;
  /** Default: a bar, and the running perplexity where there is no terminal. */
  readonly progress?: Progress;
}

export interface ImportanceOutcome {
  readonly matrix: ImportanceMatrix;
  readonly perplexity: Perplexity | undefined;
  /** Chunks of an earlier run that was interrupted. */
  readonly resumed: number;
}

/** What shells report of a program that SIGINT ended. */
const INTERRUPTED = 130;

/** Texts of one weight are one group: their chunks go through the model together. */
function groupsOf(
  texts: readonly TokenText[],
  settings: ImportanceSettings,
  bos: number | undefined,
): ChunkGroup[] {
  const { chunkSize: size, skip, limit } = settings;
  const groups = new Map<number, Int32Array[]>();
  for (const text of texts) {
    const chunks = chunksOf(text, { size, bos, skip, limit });
    groups.set(text.weight, [...(groups.get(text.weight) ?? []), ...chunks]);
  }
  return [...groups].map(([weight, chunks]) => ({ weight, chunks }));
}

async function warnOfModel(
  engine: Engine,
  { processOutput }: ImportanceSettings,
  warn: Progress['warn'],
): Promise<void> {
  const { file, hyper } = engine.model;
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
  if (engine.contextSize > hyper.contextLength) {
    warn(`the model was trained for ${hyper.contextLength} tokens, chunks have ${engine.contextSize}`);
  }
  if (processOutput && !file.find('output.weight')) {
    warn('--process-output: the model has no output.weight, its embedding serves as such');
  }
}

/** The line that says how to go on, when Ctrl-C ends the run. @returns what takes the handler away. */
function onInterrupt(file: string, saved: () => number): () => void {
  const stop = (): void => {
    const chunks = saved();
    const next =
      chunks > 0 ? `the same command goes on after chunk ${chunks} (${file})` : 'nothing was saved';
    process.stderr.write(`\nstopped; ${next}\n`);
    process.exit(INTERRUPTED);
  };
  process.once('SIGINT', stop);
  return () => void process.removeListener('SIGINT', stop);
}

/** Bar, running perplexity and its line for logs. */
class Narrator {
  readonly progress: Progress;
  readonly #total: number;
  readonly #quiet: boolean;
  #note = '';

  /** @param total chunks. */
  constructor(total: number, quiet: boolean, progress: Progress | undefined) {
    this.progress = progress ?? terminalProgress({ quiet });
    this.#total = total;
    this.#quiet = quiet || progress !== undefined;
  }

  tokens(done: number): void {
    this.progress.update(Math.floor(done), this.#note);
  }

  perplexity(chunk: number, { value }: Perplexity): void {
    this.#note = `perplexity ${value.toFixed(4)}`;
    if (process.stderr.isTTY || this.#quiet) return;
    process.stderr.write(`[${chunk}]${value.toFixed(4)},${chunk === this.#total ? '\n' : ''}`);
  }
}

class ImportanceRun {
  readonly #engine: Engine;
  readonly #settings: ImportanceSettings;
  readonly #from: readonly ImportanceMatrix[];
  readonly #texts: readonly TokenText[];
  readonly #groups: readonly ChunkGroup[];
  /** Chunks. */
  readonly #total: number;

  constructor(
    engine: Engine,
    settings: ImportanceSettings,
    from: readonly ImportanceMatrix[],
    texts: readonly TokenText[],
  ) {
    this.#engine = engine;
    this.#settings = settings;
    this.#from = from;
    this.#texts = texts;
    this.#groups = groupsOf(texts, settings, bosOf(engine.model.file));
    this.#total = this.#groups.reduce((sum, { chunks }) => sum + chunks.length, 0);
  }

  async run(): Promise<ImportanceOutcome> {
    const { output, form, restart, quiet, chunkSize } = this.#settings;
    const partial = new PartialFile(output, await this.#identity(), this.#groups);
    const state = await partial.open(restart);
    const resumed = state.chunksDone;
    if (resumed > 0 && !quiet) process.stderr.write(`goes on after chunk ${resumed} of ${this.#total}\n`);
    let saved = resumed;
    const narrator = new Narrator(this.#total, quiet, this.#settings.progress);
    const release = onInterrupt(partial.file, () => saved);
    narrator.progress.start('importance', (this.#total - resumed) * chunkSize, 'tokens');
    const save = async (reached: CollectState): Promise<void> => {
      if (reached.chunksDone === this.#total) return;
      await partial.save(reached, this.#sum(reached).finish('', 'gguf'));
      saved = reached.chunksDone;
    };
    try {
      await collectImportance(this.#engine, this.#groups, this.#options(narrator, save, resumed), state);
      const matrix = this.#sum(state).finish(output, form);
      await writeImportanceFile(output, matrix);
      await partial.remove();
      return { matrix, perplexity: perplexityOf(state.loss), resumed };
    } finally {
      narrator.progress.stop();
      release();
    }
  }

  #identity() {
    const { chunkSize, processOutput, perplexity } = this.#settings;
    return runIdentity(this.#engine, [chunkSize, processOutput, perplexity]);
  }

  /** @param resumed chunks of an earlier run: its pace says nothing of this one's. */
  #options(
    narrator: Narrator,
    save: (state: CollectState) => Promise<void>,
    resumed: number,
  ): CollectOptions {
    const { chunkSize, processOutput, perplexity, saveEvery } = this.#settings;
    return {
      chunkSize,
      processOutput,
      perplexity,
      ...(saveEvery > 0 ? { saveEvery, save } : {}),
      onPerplexity: (chunk, soFar) => narrator.perplexity(chunk, soFar),
      progress: (done) => narrator.tokens(done - resumed * chunkSize),
    };
  }

  /** Everything added up so far: files, and the groups' sums times their weights. */
  #sum(state: CollectState): ImportanceSum {
    const sum = new ImportanceSum();
    for (const matrix of this.#from) sum.addMatrix(matrix);
    state.totals.forEach((totals, group) => {
      for (const [name, { sums, count }] of totals) {
        if (count > 0)
          sum.add(this.#engine.model.file.name, name, { sums, counts: [count] }, this.#groups[group].weight);
      }
    });
    const datasets = this.#texts.map(({ name }) => name);
    sum.saw(datasets, state.chunksDone, this.#settings.chunkSize);
    return sum;
  }
}

/**
 * Measures the texts of the settings, on top of `from`, and writes the output.
 * @throws input error: a text or a matrix that does not fit the model; usage error: a partial file of another run.
 */
export async function measureImportance(
  engine: Engine,
  settings: ImportanceSettings,
  from: readonly ImportanceMatrix[],
): Promise<ImportanceOutcome> {
  const { file } = engine.model;
  for (const matrix of from) checkAgainstModel(matrix, file.tensors);
  await warnOfModel(engine, settings, (settings.progress ?? terminalProgress()).warn);
  const texts = await readTexts(file, settings.texts, settings.parseSpecial);
  return new ImportanceRun(engine, settings, from, texts).run();
}
