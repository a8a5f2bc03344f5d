/** Which file to take for a given memory: computed from sizes, the cache of a context, and the measured losses. */
import { lossOf } from './losses.ts';
import type { QuantEntry, QuantSet } from './quant-set.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Sizes of memory that machines and their shares come in: MiB below one GiB, then GiB. */
const STEPS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768];
const RUNGS = [...STEPS.map((step) => step * MIB), ...STEPS.map((step) => step * GIB)];

/** Context that memory is counted for, where the model has as much. */
const CONTEXT = 4096;

/** Bytes of a number in the cache: f16. */
const CACHE_BYTES = 2;

/** Tokens that a prompt is read in at a time, with an f32 for each token of the vocabulary. */
const BATCH = 512;

/** Other buffers, as a share of the file. */
const SLACK = 0.05;

/** What a file needs beside itself. */
export interface Assumptions {
  readonly context: number;
  /** Undefined where the set does not say how large the cache is. */
  readonly cacheBytes: number | undefined;
  readonly batch: number;
  readonly logitsBytes: number;
  readonly slack: number;
}

/** A file that can be taken: a quant, or the original itself. */
export interface Choice {
  readonly quant: QuantEntry | undefined;
  readonly bytes: number;
  /** Bytes of memory in all. */
  readonly needs: number;
}

export interface Rung {
  readonly memory: number;
  readonly choice: Choice;
}

export function assumptions({ model }: QuantSet): Assumptions {
  const context = Math.min(CONTEXT, model.contextLength);
  const { cacheWidth, vocabulary } = model;
  return {
    context,
    cacheBytes: cacheWidth === undefined ? undefined : cacheWidth * context * CACHE_BYTES,
    batch: BATCH,
    logitsBytes: BATCH * vocabulary * 4,
    slack: SLACK,
  };
}

/** Bytes of memory that a file of so many bytes needs. */
export function memoryFor(bytes: number, { cacheBytes, logitsBytes, slack }: Assumptions): number {
  return Math.ceil(bytes * (1 + slack)) + (cacheBytes ?? 0) + logitsBytes;
}

/** What is compared: divergence where all have one, else bits. The original loses nothing. */
function badness(choice: Choice, measured: boolean): number {
  if (!choice.quant) return Number.NEGATIVE_INFINITY;
  return measured ? (lossOf(choice.quant)?.kld ?? Number.POSITIVE_INFINITY) : -choice.quant.bitsPerWeight;
}

/** The best choice for each size of memory at which it changes; nothing where nothing fits. */
export function memoryLadder(set: QuantSet): Rung[] {
  const given = assumptions(set);
  const measured = set.quants.some((quant) => lossOf(quant) !== undefined);
  const choices = [...set.quants, undefined].map((quant): Choice => {
    const { bytes } = quant ?? set.model;
    return { quant, bytes, needs: memoryFor(bytes, given) };
  });
  choices.sort((a, b) => badness(a, measured) - badness(b, measured) || a.bytes - b.bytes);
  const ladder: Rung[] = [];
  for (const memory of RUNGS) {
    const choice = choices.find(({ needs }) => needs <= memory);
    if (choice && choice !== ladder.at(-1)?.choice) ladder.push({ memory, choice });
  }
  return ladder;
}
