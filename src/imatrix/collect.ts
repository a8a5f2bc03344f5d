/**
 * Collecting importance: chunks of tokens go through a model, and the squared inputs of its weight matrices are summed in
 * f64, token by token in the order of the texts. Neither threads nor memory nor saving on the way change a bit of it.
 */
import { inputError } from '../core/index.ts';
import {
  type Engine,
  findNonFinite,
  type HeadResult,
  LossMeter,
  walk,
  walkLength,
} from '../generate/index.ts';
import type { Tap } from '../graph/index.ts';
import {
  addLosses,
  type LossSums,
  NO_LOSS,
  type Perplexity,
  perplexityOf,
  scoredRows,
} from './perplexity.ts';

/** Chunks whose sums count with one weight, in the order of their texts. */
export interface ChunkGroup {
  readonly weight: number;
  readonly chunks: readonly Int32Array[];
}

/** Squared inputs of one weight over `count` tokens. */
export interface InputSums {
  readonly sums: Float64Array;
  count: number;
}

/** How far a collection is: everything that is needed to go on. */
export interface CollectState {
  /** Chunks of all groups, in order, that are in the sums. */
  chunksDone: number;
  /** One a group, by weight name. Missing: nothing yet. */
  readonly totals: readonly Map<string, InputSums>[];
  loss: LossSums;
}

export interface CollectOptions {
  /** Tokens a chunk. */
  readonly chunkSize: number;
  /** Also the output matrix, which llama.cpp's files leave out. */
  readonly processOutput: boolean;
  /** Scores the second half of each chunk on the way. */
  readonly perplexity: boolean;
  /** Chunks between two calls of `save`. */
  readonly saveEvery?: number | undefined;
  readonly save?: (state: CollectState) => Promise<void>;
  /** After each scored chunk, counted from 1 over all groups. */
  readonly onPerplexity?: (chunk: number, soFar: Perplexity) => void;
  /** Tokens done so far, those of an earlier run included. */
  readonly progress?: (tokens: number) => void;
}

export function emptyState(groups: readonly ChunkGroup[]): CollectState {
  return { chunksDone: 0, totals: groups.map(() => new Map()), loss: NO_LOSS };
}

/** Whether the input of a weight is collected. */
function isWanted(processOutput: boolean): (tap: Tap) => boolean {
  return ({ weight: { name } }) => name.startsWith('blk.') || (processOutput && name === 'output.weight');
}

/** @throws input error: a token id that the model has no row for. */
function checkTokens(engine: Engine, groups: readonly ChunkGroup[]): void {
  const { file, hyper } = engine.model;
  for (const chunk of groups.flatMap(({ chunks }) => chunks)) {
    const bad = chunk.find((id) => id < 0 || id >= hyper.vocabulary);
    if (bad !== undefined) {
      throw inputError(file.name, `has ${hyper.vocabulary} tokens, the text has the token id ${bad}`);
    }
  }
}

class Collection {
  readonly #engine: Engine;
  readonly #options: CollectOptions;
  readonly #state: CollectState;
  readonly #meter: LossMeter | undefined;

  constructor(engine: Engine, options: CollectOptions, state: CollectState) {
    this.#engine = engine;
    this.#options = options;
    this.#state = state;
    this.#meter = options.perplexity ? new LossMeter(engine) : undefined;
  }

  async run(groups: readonly ChunkGroup[]): Promise<void> {
    let first = 0;
    try {
      for (const [at, { chunks }] of groups.entries()) {
        const done = Math.min(chunks.length, Math.max(0, this.#state.chunksDone - first));
        if (done < chunks.length) await this.#walk(chunks.slice(done), at, first + done);
        first += chunks.length;
      }
    } finally {
      this.#meter?.close();
    }
  }

  /** @param before chunks of all groups that are done. */
  async #walk(chunks: readonly Int32Array[], group: number, before: number): Promise<void> {
    const { processOutput, perplexity, chunkSize, saveEvery, save, progress, onPerplexity } = this.#options;
    const scored = perplexity ? scoredRows(chunkSize) : { from: 0, to: 0 };
    const rows = processOutput ? { from: 0, to: chunkSize } : scored;
    const stepsPerToken = walkLength(this.#engine, [new Int32Array(1)]);
    await walk(this.#engine, {
      chunks,
      ...(rows.to > rows.from ? { select: () => rows } : {}),
      finish: async (head) => {
        await this.#score(head, chunks[head.chunk], before + head.chunk);
        // A chunk longer than a batch comes in parts: its figure is told after the last one.
        const soFar = perplexityOf(this.#state.loss);
        if (soFar && head.rows.to === rows.to) onPerplexity?.(before + head.chunk + 1, soFar);
      },
      collect: { wanted: isWanted(processOutput), totals: this.#state.totals[group] },
      ...(saveEvery ? { saveEvery } : {}),
      saved: async (done) => {
        this.#state.chunksDone = before + done;
        await save?.(this.#state);
      },
      progress: (done) => progress?.(before * chunkSize + done / stepsPerToken),
    });
  }

  async #score(head: HeadResult, chunk: Int32Array, index: number): Promise<void> {
    if (!this.#meter) return;
    // Rows outside of the second half are there for the output matrix only; the last one has no next token.
    const targets = Int32Array.from(
      { length: head.rows.to - head.rows.from },
      (_, i) => chunk[head.rows.from + i + 1] ?? 0,
    );
    const scored = scoredRows(this.#options.chunkSize);
    const nll = await this.#meter.score(head, targets);
    const counted = nll.filter((_, i) => head.rows.from + i >= scored.from && head.rows.from + i < scored.to);
    if (counted.some((value) => !Number.isFinite(value))) {
      await findNonFinite(this.#engine, [chunk]);
      throw inputError(this.#engine.model.file.name, `the logits of chunk ${index + 1} are not finite`);
    }
    this.#state.loss = addLosses(this.#state.loss, counted);
  }
}

/**
 * Takes the groups' chunks through the model, from where `state` is; `state` holds the result.
 * @throws input error: a token that the model lacks, or an activation that is not finite, by layer.
 */
export async function collectImportance(
  engine: Engine,
  groups: readonly ChunkGroup[],
  options: CollectOptions,
  state: CollectState = emptyState(groups),
): Promise<CollectState> {
  checkTokens(engine, groups);
  await new Collection(engine, options, state).run(groups);
  return state;
}
