/**
 * Rotary position embedding: how fast each pair of columns turns, in every scaling that GGUF files name.
 *
 * Pair i of R/2 turns by `position * base^(-2i/R)`. Scalings change that frequency (linear, yarn), divide it by a
 * factor from a tensor (Llama 3, LongRoPE), or multiply cosine and sine (yarn, LongRoPE). All in f64, rounded to f32 at
 * the end.
 */
import { inputError } from '../core/index.ts';
import type { RopeTable } from './language-model.ts';
import type { Sizes } from './sizes.ts';
import type { ModelReader } from './tensors.ts';

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

function slowed(plain: Float64Array, { factor }: YarnSettings): Frequencies {
  return { values: plain.map((frequency) => frequency / factor), magnitude: 1 };
}

/**
 * The methods that `rope.scaling.type` names. LongRoPE's factors are tensors, used whatever the type says; a plain
 * factor beside them slows all pairs, as in llama.cpp. Yarn's own numbers are read as transformers means them
 * (llama.cpp takes its defaults instead).
 */
const SCALINGS: Readonly<Record<string, (plain: Float64Array, settings: YarnSettings) => Frequencies>> = {
  none: (plain) => ({ values: plain, magnitude: 1 }),
  linear: slowed,
  yarn: yarnFrequencies,
  longrope: slowed,
};

function readScaled(reader: ModelReader, { rotated, contextLength }: Sizes): Frequencies {
  const base = reader.number('rope.freq_base', 10000);
  if (!(base > 1) || !Number.isFinite(base))
    reader.refuse('rope.freq_base', `is ${base}; above 1 is allowed`);
  // Files without a type but with a factor mean linear scaling, the older key too.
  const type = reader.text('rope.scaling.type') ?? 'linear';
  const stated = reader.number('rope.scaling.factor', reader.number('rope.scale_linear', 1));
  const factor = stated === 0 ? 1 : stated;
  if (!(factor > 0) || !Number.isFinite(factor)) {
    reader.refuse('rope.scaling.factor', `is ${stated}; above 0 is allowed`);
  }
  const known = Object.keys(SCALINGS);
  if (!known.includes(type)) {
    reader.refuse('rope.scaling.type', `is "${type.slice(0, 40)}"; known are ${known.join(', ')}`);
  }
  return SCALINGS[type](plainFrequencies(rotated, base), {
    base,
    factor,
    originalContext: reader.number('rope.scaling.original_context_length', contextLength),
    betaFast: reader.number('rope.scaling.yarn_beta_fast', 32),
    betaSlow: reader.number('rope.scaling.yarn_beta_slow', 1),
    extrapolation: reader.number('rope.scaling.yarn_ext_factor', 1),
    magnitude: reader.number('rope.scaling.yarn_attn_factor', 0),
  });
}

/** LongRoPE's two sets of factors. @throws input error: one without the other. */
async function readLongRope(
  reader: ModelReader,
  pairs: number,
): Promise<[Float32Array, Float32Array] | undefined> {
  const [longName, shortName] = ['rope_factors_long.weight', 'rope_factors_short.weight'];
  const long = await reader.values(longName, pairs);
  const short = await reader.values(shortName, pairs);
  if (long && short) return [long, short];
  if (!long && !short) return undefined;
  const [missing, there] = long ? [shortName, longName] : [longName, shortName];
  throw inputError(reader.file.name, `${missing} is missing, but there is ${there}`);
}

/**
 * The rotation of a file's model, by the context size that a sequence may have.
 * LongRoPE: the long factors serve contexts longer than the one trained first, the short ones the others.
 * @throws input error: an unknown scaling, or factors that are missing or of the wrong number.
 */
export async function readRope(
  reader: ModelReader,
  sizes: Sizes,
): Promise<(contextSize: number) => RopeTable> {
  const pairs = sizes.rotated / 2;
  const { values, magnitude } = readScaled(reader, sizes);
  const always = await reader.values('rope_freqs.weight', pairs);
  const byLength = await readLongRope(reader, pairs);
  const original = reader.number('rope.scaling.original_context_length', sizes.contextLength);
  const attention = reader.number('rope.scaling.attn_factor', 1);
  return (contextSize) => {
    const factors = always ?? byLength?.[contextSize > original ? 0 : 1];
    return ropeTable({
      values: values.map((frequency, i) => frequency / (factors?.[i] ?? 1)),
      magnitude: magnitude * attention,
    });
  };
}
