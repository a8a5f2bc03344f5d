/** Going on after an interruption: the partial file beside the output of `bitmill imatrix`. */
import { rm } from 'node:fs/promises';
import { BitmillError, usageError } from '../core/index.ts';
import type { Engine } from '../generate/index.ts';
import {
  type ChunkGroup,
  type CollectState,
  emptyState,
  hashChunks,
  type ImportanceMatrix,
  keyDifference,
  type RunKey,
  readPartial,
  writePartial,
} from '../imatrix/index.ts';
import { exists, fileIdentity, isUrl, openFile, sha256, writeAtomically } from '../platform/index.ts';
import { VERSION } from './version.ts';

/** Also a GGUF, so that every tool opens it. */
const SUFFIX = '.partial.gguf';

const RESTART_HINT = '--restart throws it away; another output (-o) leaves it alone';

/** What must be the same for a run to go on. */
export interface RunIdentity {
  readonly model: string;
  readonly settings: string;
}

function digest(...parts: readonly unknown[]): string {
  return sha256().update(JSON.stringify(parts)).hex().slice(0, 16);
}

/** @param settings whatever else decides the sums. */
export async function runIdentity(engine: Engine, settings: readonly unknown[]): Promise<RunIdentity> {
  const { backend, cacheType, attention, batch } = engine;
  const { file } = engine.model;
  const local = !file.shards.some(isUrl);
  const tensors = file.tensors.map(({ name, format, shape, offset }) => [name, format.name, shape, offset]);
  return {
    model: digest(file.size, tensors, local ? await fileIdentity(file.shards) : file.shards),
    settings: digest(VERSION, backend.name, backend.level, cacheType, attention, batch, settings),
  };
}

export class PartialFile {
  readonly file: string;
  readonly #identity: RunIdentity;
  readonly #groups: readonly ChunkGroup[];

  constructor(output: string, identity: RunIdentity, groups: readonly ChunkGroup[]) {
    this.file = output + SUFFIX;
    this.#identity = identity;
    this.#groups = groups;
  }

  /**
   * Where to go on from: the start, where there is no partial file.
   * @param restart from the start; `changed`: only where the partial file is of another run.
   * @throws usage error: a partial file of another run, which is worth more than a guess.
   */
  async open(restart: boolean | 'changed'): Promise<CollectState> {
    if (restart === true || !(await exists(this.file))) return emptyState(this.#groups);
    const found = await this.#read().catch((error: unknown) => {
      if (restart === 'changed' && error instanceof BitmillError) return undefined;
      throw error;
    });
    if (!found) return emptyState(this.#groups);
    const { state, key } = found;
    const difference = keyDifference(key, this.#key(state.chunksDone));
    if (difference !== undefined) {
      if (restart === 'changed') return emptyState(this.#groups);
      throw usageError(`${this.file}: was left by a run with ${difference}`, RESTART_HINT);
    }
    const totals = this.#groups.map((_, group) => state.totals[group] ?? new Map());
    return { ...state, totals };
  }

  async save(state: CollectState, preview: ImportanceMatrix): Promise<void> {
    const bytes = writePartial(preview, state, this.#key(state.chunksDone));
    await writeAtomically(this.file, (sink) => sink.write(0, bytes));
  }

  async remove(): Promise<void> {
    await rm(this.file, { force: true });
  }

  #key(done: number): RunKey {
    const hash = sha256();
    hashChunks(hash, this.#groups, done);
    return { ...this.#identity, texts: hash.hex().slice(0, 16) };
  }

  async #read(): ReturnType<typeof readPartial> {
    const source = await openFile(this.file);
    try {
      return await readPartial(source);
    } catch (error) {
      if (!(error instanceof BitmillError)) throw error;
      throw new BitmillError(error.kind, error.message, { hint: RESTART_HINT, cause: error });
    } finally {
      await source.close();
    }
  }
}
