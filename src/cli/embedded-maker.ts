/** Makes the files of an embedded model: converted, quantized, with an importance matrix where a type needs one. */
import { rmSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type ConvertType, planConversion } from '../convert/index.ts';
import { BitmillError, type Executor, type Progress } from '../core/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import { openCheckpoint } from '../hf/index.ts';
import type { ImportanceMatrix } from '../imatrix/index.ts';
import { type EmbeddedName, exists, fileIdentity, folderFiles, openGguf } from '../platform/index.ts';
import { type FileTypeName, planQuantization, RECIPE_SETS } from '../quantize/index.ts';
import { convertCheckpoint } from './converting.ts';
import { withEngine } from './engine.ts';
import { trainedContext } from './gguf.ts';
import { readImportanceFile } from './imatrix-files.ts';
import { measureImportance } from './importance.ts';
import { quantizeInto } from './quantizing.ts';
import { VERSION } from './version.ts';

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
      await convertCheckpoint(files, checkpoint, plan, output, { executor, progress, allowNonFinite: false });
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
        planned = plan(await readImportanceFile(await this.#importance()));
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
      const flags = { model, backend: 'wasm', attention: 'flash', cacheType: 'f32' };
      const needs = (file: GgufFile) => ({
        contextSize: Math.min(CHUNK_TOKENS, trainedContext(file) ?? CHUNK_TOKENS),
      });
      await withEngine(flags, needs, (engine) =>
        measureImportance(
          engine,
          {
            texts: { file: [text], chat: [], tokens: [] },
            ...{ parseSpecial: true, output: path.join(work, name), form: 'gguf' },
            ...{ chunkSize: engine.contextSize, limit: MOST_CHUNKS, skip: 0, saveEvery: 0 },
            ...{ processOutput: false, perplexity: false, restart: true, quiet: true },
            progress: this.#progress,
          },
          [],
        ),
      );
    });
  }
}
