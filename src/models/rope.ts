/**
 * Rotary position embedding: how fast each pair of columns turns, in every scaling that GGUF files name.
 *
 * Pair i of R/2 turns by `position * base^(-2i/R)`. Scalings change that frequency (linear, yarn), divide it by a
 * factor from a tensor (Llama 3, LongRoPE), or multiply cosine and sine (yarn, LongRoPE). All in f64, rounded to f32 at
 * the end.
 */
import type { RopeTable } from './language-model.ts';

/** R/2 frequencies in radians a position, and what cosine and sine are multiplied by. */
export interface Frequencies {
  readonly values: Float64Array;
  readonly magnitude: number;
}

/** `base^(-2i/R)` for i below R/2. */
export function plainFrequencies(rotated: number, base: number): Float64Array {
  return Float64Array.from({ length: rotated / 2 }, (_, i) => base ** ((-2 * i) / rotated));
}

export interface YarnSettings {
  readonly base: number;
  /** How many times longer the context is than trained. */
  readonly factor: number;
  readonly originalContext: number;
  /** Turns within the trained context above which a pair keeps its frequency, and below which it is slowed. */
  readonly betaFast: number;
  readonly betaSlow: number;
  /** 1: as the paper; 0: linear scaling for all pairs. */
  readonly extrapolation: number;
  /** What cosine and sine are multiplied by; 0: as the paper. */
  readonly magnitude: number;
}

/**
 * YaRN (Peng et al. 2023, "NTK-by-parts"): fast pairs keep their frequency, slow ones are interpolated, those between
 * are blended; attention is sharpened by 0.1 ln(factor) + 1.
 */
export function yarnFrequencies(plain: Float64Array, settings: YarnSettings): Frequencies {
  const { base, factor, originalContext, betaFast, betaSlow, extrapolation, magnitude } = settings;
  const rotated = 2 * plain.length;
  /** The pair that turns `turns` times within the trained context. */
  const pairOf = (turns: number): number =>
    (rotated * Math.log(originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(0, Math.floor(pairOf(betaFast)));
  const high = Math.min(rotated - 1, Math.ceil(pairOf(betaSlow)));
  const values = plain.map((frequency, i) => {
    const slow = Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low)));
    const keep = (1 - slow) * extrapolation;
    return frequency * (keep + (1 - keep) / factor);
  });
  const paper = extrapolation === 0 || factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
  return { values, magnitude: magnitude || paper };
}

/** Positions a table is asked for are few a call; cosines and sines are computed, not stored. */
export function ropeTable({ values, magnitude }: Frequencies): RopeTable {
  const pairs = values.length;
  const fill = (from: number, count: number, turn: (angle: number) => number): Float32Array =>
    Float32Array.from(
      { length: count * pairs },
      (_, at) => magnitude * turn((from + Math.floor(at / pairs)) * values[at % pairs]),
    );
  return {
    rotated: 2 * pairs,
    angles: (from, count) => ({ cos: fill(from, count, Math.cos), sin: fill(from, count, Math.sin) }),
  };
}
