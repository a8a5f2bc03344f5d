/** Which rotary embedding a file asks for: the keys `rope.*` and the tensors of factors. */
import { inputError } from '../core/index.ts';
import { quoted } from '../gguf/index.ts';
import type { RopeTable } from './language-model.ts';
import { type Frequencies, plainFrequencies, ropeTable, type YarnSettings, yarnFrequencies } from './rope.ts';
import type { Sizes } from './sizes.ts';
import type { ModelReader } from './tensors.ts';

/** Largest factor of cosine and sine believed; those in use are below 2. */
const MAX_MAGNITUDE = 1000;

type Scaling = (plain: Float64Array, settings: YarnSettings) => Frequencies;

const unscaled: Scaling = (plain) => ({ values: plain, magnitude: 1 });

const slowed: Scaling = (plain, { factor }) => ({
  values: plain.map((frequency) => frequency / factor),
  magnitude: 1,
});

/**
 * The methods that `rope.scaling.type` names. LongRoPE's factors are tensors, used whatever the type says; a plain
 * factor beside them slows all pairs, as in llama.cpp. Yarn's own numbers are read as transformers means them
 * (llama.cpp takes its defaults instead).
 */
const SCALINGS: ReadonlyMap<string, Scaling> = new Map([
  ['none', unscaled],
  ['linear', slowed],
  ['yarn', yarnFrequencies],
  ['longrope', slowed],
]);

/** Positions that the model was trained for before it was extended. */
function originalContext(reader: ModelReader, { contextLength }: Sizes): number {
  return reader.positive('rope.scaling.original_context_length', contextLength);
}

/** By how much the context was extended; 0 in a file says nothing, and files without the key may have the older one. */
function readFactor(reader: ModelReader): number {
  const older = reader.number('rope.scale_linear', 1);
  return reader.number('rope.scaling.factor', older) === 0
    ? 1
    : reader.positive('rope.scaling.factor', older);
}

function readScaled(reader: ModelReader, sizes: Sizes): Frequencies {
  const base = reader.positive('rope.freq_base', 10000);
  if (base <= 1) reader.refuse('rope.freq_base', `is ${base}; above 1 is allowed`);
  // Files without a type but with a factor mean linear scaling.
  const type = reader.text('rope.scaling.type') ?? 'linear';
  const scaling = SCALINGS.get(type);
  if (!scaling) {
    return reader.refuse(
      'rope.scaling.type',
      `is ${quoted(type)}; known are ${[...SCALINGS.keys()].join(', ')}`,
    );
  }
  return scaling(plainFrequencies(sizes.rotated, base), {
    base,
    factor: readFactor(reader),
    originalContext: originalContext(reader, sizes),
    betaFast: reader.positive('rope.scaling.yarn_beta_fast', 32),
    betaSlow: reader.positive('rope.scaling.yarn_beta_slow', 1),
    extrapolation: reader.between('rope.scaling.yarn_ext_factor', [0, 1], 1),
    magnitude: reader.between('rope.scaling.yarn_attn_factor', [0, MAX_MAGNITUDE], 0),
  });
}

/** Factors that frequencies are divided by. @throws input error: of the wrong number, or one that is not above 0. */
async function readFactors(
  reader: ModelReader,
  name: string,
  pairs: number,
): Promise<Float32Array | undefined> {
  const factors = await reader.values(name, pairs);
  const wrong = factors?.find((factor) => !(factor > 0 && Number.isFinite(factor)));
  if (wrong !== undefined) throw inputError(reader.file.name, `${name} holds ${wrong}; above 0 is allowed`);
  return factors;
}

/** LongRoPE's two sets of factors, for long contexts and for short ones. @throws input error: one without the other. */
async function readLongRope(
  reader: ModelReader,
  pairs: number,
): Promise<readonly [long: Float32Array, short: Float32Array] | undefined> {
  const [longName, shortName] = ['rope_factors_long.weight', 'rope_factors_short.weight'];
  const long = await readFactors(reader, longName, pairs);
  const short = await readFactors(reader, shortName, pairs);
  if (long && short) return [long, short];
  if (!long && !short) return undefined;
  const [missing, there] = long ? [shortName, longName] : [longName, shortName];
  throw inputError(reader.file.name, `${missing} is missing, but there is ${there}`);
}

/**
 * The rotation of a file's model, by the context size that a sequence may have.
 * LongRoPE: the long factors serve contexts longer than the one trained first, the short ones the others.
 * @throws input error: an unknown scaling, numbers that cannot be, or factors that are missing or of the wrong number.
 */
export async function readRope(
  reader: ModelReader,
  sizes: Sizes,
): Promise<(contextSize: number) => RopeTable> {
  const pairs = sizes.rotated / 2;
  const { values, magnitude } = readScaled(reader, sizes);
  const always = await readFactors(reader, 'rope_freqs.weight', pairs);
  const byLength = await readLongRope(reader, pairs);
  const original = originalContext(reader, sizes);
  const attention = reader.between('rope.scaling.attn_factor', [1 / MAX_MAGNITUDE, MAX_MAGNITUDE], 1);
  return (contextSize) => {
    const factors = always ?? byLength?.[contextSize > original ? 0 : 1];
    return ropeTable({
      values: values.map((frequency, i) => frequency / (factors?.[i] ?? 1)),
      magnitude: magnitude * attention,
    });
  };
}
