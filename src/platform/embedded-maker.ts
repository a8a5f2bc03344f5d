/** Makes the files of an embedded model: converted, quantized, with an importance matrix where a type needs one. */
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { wasmBackend } from '../backends/index.ts';
import { type ConvertType, planConversion, writeConversion } from '../convert/index.ts';
import { BitmillError, type Executor, type Progress } from '../core/index.ts';
import { Engine } from '../generate/index.ts';
import { type GgufFile, trainedContext } from '../gguf/index.ts';
import { openCheckpoint } from '../hf/index.ts';
import {
  chunksOf,
  collectImportance,
  emptyState,
  type ImportanceMatrix,
  ImportanceSum,
  readImportanceMatrix,
  writeImportanceMatrix,
} from '../imatrix/index.ts';
import { type FileTypeName, planQuantization, RECIPE_SETS } from '../quantize/index.ts';
import { tokenizerOf } from '../text/index.ts';
import { folderFiles } from './checkpoint.ts';
import type { EmbeddedName } from './embedded.ts';
import { spawnEngineThread } from './engine-threads.ts';
import { exists, openFile, writeAtomically } from './files.ts';
import { openGguf } from './gguf.ts';
import { quantizeInto } from './quantizing.ts';
import { VERSION } from './version.ts';
import { availableThreads } from './workers.ts';
import { fileIdentity } from './workspace.ts';

/** File types that are only converted. */
const FLOATS: Partial<Record<FileTypeName, ConvertType>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' };

/** What quants are made of: embedded models are trained and kept in it. */
export const ORIGINAL = 'BF16' satisfies FileTypeName;

/** Beside the checkpoint: what its importance matrix is measured on. */
const CALIBRATION = 'calibration.txt';
/** Tokens a chunk, at most; and chunks: enough for a small model. */
const CHUNK_TOKENS = 512;
const MOST_CHUNKS = 20;
/** Bytes of work in flight. */
const MEMORY = 2 ** 28;

/** Names of folders in which a process works. */
export const WORK = '.work-';

/** A folder of this process alone in `folder`, removed at the end, whatever happens. */
async function inWorkFolder<T>(folder: string, use: (work: string) => Promise<T>): Promise<T> {
  const work = await mkdtemp(path.join(folder, WORK));
  const leave = () => rmSync(work, { recursive: true, force: true });
  process.once('exit', leave);
  try {
    return await use(work);
  } finally {
    process.removeListener('exit', leave);
    await rm(work, { recursive: true, force: true });
  }
}

/** What is needed to make the files of one model. */
export class EmbeddedMaker {
  readonly #model: EmbeddedName;
  readonly #folder: string;
  readonly #executor: Executor;
  readonly #progress: Progress;

  constructor(model: EmbeddedName, folder: string, executor: Executor, progress: Progress) {
    this.#model = model;
    this.#folder = folder;
    this.#executor = executor;
    this.#progress = progress;
  }

  /** Where the file of a type is or will be. */
  path(type: FileTypeName): string {
    return path.join(this.#folder, `${this.#model.name}-${type}.gguf`);
  }

  /** Path of the model's file of a type, which is made where it is missing. */
  async file(type: FileTypeName): Promise<string> {
    const float = FLOATS[type];
    return this.#cached(path.basename(this.path(type)), (work) =>
      float === undefined ? this.#quantize(type, work) : this.#convert(float, work),
    );
  }

  /** @param make writes a file of that name in the folder that it is given. */
  async #cached(name: string, make: (work: string) => Promise<void>): Promise<string> {
    const file = path.join(this.#folder, name);
    if (await exists(file)) return file;
    await inWorkFolder(this.#folder, async (work) => {
      await make(work);
      await rename(path.join(work, name), file);
    });
    return file;
  }

  async #convert(dtype: ConvertType, work: string): Promise<void> {
    const files = folderFiles(this.#model.folder);
    const checkpoint = await openCheckpoint(files);
    const [executor, progress] = [this.#executor, this.#progress];
    try {
      const plan = await planConversion(checkpoint, { dtype, name: this.#model.name, warn: progress.warn });
      const output = path.join(work, `${this.#model.name}-${dtype.toUpperCase()}.gguf`);
      const settings = { executor, progress, allowNonFinite: false };
      await writeAtomically(output, async (sink) => {
        await writeConversion(checkpoint, plan, sink, settings);
      });
    } finally {
      await checkpoint.close();
    }
  }

  async #quantize(type: FileTypeName, work: string): Promise<void> {
    const model = await openGguf(await this.file(ORIGINAL));
    const [recipes] = RECIPE_SETS;
    const plan = (imatrix: ImportanceMatrix | null) =>
      planQuantization(model, {
        ...{ mixtures: [type], recipes, effort: 'fast', imatrix },
        ...{ model: this.#model.name, version: VERSION },
      });
    try {
      let planned: ReturnType<typeof plan>;
      try {
        planned = plan(null);
      } catch (error) {
        // The plan alone knows which types are garbage without a matrix.
        if (!(error instanceof BitmillError)) throw error;
        planned = plan(await readImportance(await this.#importance()));
      }
      await quantizeInto(work, planned, {
        ...{ executor: this.#executor, progress: this.#progress, memory: MEMORY },
        identity: await fileIdentity(model.shards),
      });
    } finally {
      await model.close();
    }
  }

  async #importance(): Promise<string> {
    const name = `${this.#model.name}.imatrix.gguf`;
    const model = await this.file(ORIGINAL);
    const text = path.join(this.#model.folder, CALIBRATION);
    return this.#cached(name, async (work) => {
      const file = await openGguf(model);
      try {
        const matrix = await measureImportance(file, text, path.join(work, name), this.#progress);
        const bytes = writeImportanceMatrix(matrix, matrix.form);
        await writeAtomically(matrix.name, (sink) => sink.write(0, bytes));
      } finally {
        await file.close();
      }
    });
  }
}

async function readImportance(file: string): Promise<ImportanceMatrix> {
  const source = await openFile(file);
  try {
    return await readImportanceMatrix(source);
  } finally {
    await source.close();
  }
}

/** @param output names the matrix. */
async function measureImportance(
  file: GgufFile,
  text: string,
  output: string,
  progress: Progress,
): Promise<ImportanceMatrix> {
  const tokenizer = tokenizerOf(file);
  const tokens = tokenizer.encode(await readFile(text, 'utf8'), { special: true, bos: true });
  const size = Math.min(CHUNK_TOKENS, trainedContext(file) ?? CHUNK_TOKENS);
  const bos = tokenizer.addBos ? tokenizer.bos : undefined;
  const dataset = path.basename(text);
  const chunks = chunksOf({ name: dataset, tokens, weight: 1 }, { size, bos, skip: 0, limit: MOST_CHUNKS });
  const groups = [{ weight: 1, chunks }];
  const state = emptyState(groups);
  // Without relaxed SIMD: the file must be the same on every machine.
  const backend = await wasmBackend({
    threads: availableThreads(),
    spawn: spawnEngineThread,
    relaxed: false,
  });
  try {
    const engine = await Engine.open(file, { backend, contextSize: size, cacheType: 'f32' });
    progress.start('importance', chunks.length * size, 'tokens');
    const options = { chunkSize: size, processOutput: false, perplexity: false };
    await collectImportance(engine, groups, { ...options, progress: progress.update }, state);
    engine.close();
  } finally {
    progress.stop();
    await backend.close();
  }
  const sum = new ImportanceSum();
  for (const [name, { sums, count }] of state.totals[0]) {
    if (count > 0) sum.add(file.name, name, { sums, counts: [count] });
  }
  sum.saw([dataset], state.chunksDone, size);
  return sum.finish(output, 'gguf');
}
