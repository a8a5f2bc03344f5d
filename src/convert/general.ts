/** The `general.*` metadata of a converted checkpoint: what it is, how it is called, how large it is. */
import { f32, type GgufValue, i32, str, strings } from '../gguf/index.ts';
import type { Architecture, Entry } from './architecture.ts';
import type { CardFacts } from './card.ts';
import { isRecord } from './config.ts';

/**
 * A model's name from where its checkpoint lies: the last part of a path or of a repository id. In a hub's
 * cache the folder is a commit, so the name comes from `models--owner--name` above it.
 */
export function nameOf(place: string): string {
  const parts = place.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  const cached = parts
    .findLast((part) => part.startsWith('models--'))
    ?.split('--')
    .at(-1);
  return cached || parts.at(-1) || 'model';
}

/**
 * llama.cpp strips whitespace after Phi-3's special tokens only where general.name says phi-3 or phi3. Where it
 * does, the vocabulary must hold four tokens, or the file does not load there at all.
 */
const PHI3 = { mark: /phi-?3/gi, tokens: ['</s>', '<unk>', '<s>', '<|endoftext|>'] } as const;

/**
 * general.name: marked for a Phi-3 vocabulary, so that a folder called otherwise tokenizes chats alike, and
 * without the mark for a vocabulary that it would make unreadable.
 */
export function markedName(
  name: string,
  { phi3Name }: Architecture,
  tokens: ReadonlySet<string>,
  warn: (message: string) => void,
): string {
  const says = name.match(PHI3.mark) !== null;
  if (PHI3.tokens.every((token) => tokens.has(token))) return phi3Name && !says ? `Phi-3 ${name}` : name;
  if (!says) return name;
  const plain = name.replaceAll(PHI3.mark, 'Phi 3');
  warn(`the name "${name}" is written as "${plain}": llama.cpp cannot load this vocabulary under the former`);
  return plain;
}

const SIZES: readonly (readonly [number, string])[] = [
  [1e12, 'T'],
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'K'],
];

/** `3821079552` -> `3.8B`: at least two digits, as file names of the GGUF world carry it. */
export function sizeLabel(weights: number): string {
  const [unit, letter] = SIZES.find(([size]) => weights > size) ?? [1e3, 'K'];
  const scaled = weights / unit;
  const digits = Math.round(scaled) === 0 ? 0 : String(Math.round(scaled)).length;
  return `${scaled.toFixed(Math.max(0, 2 - digits))}${letter}`;
}

/** Fields of generation_config.json -> how its author wants the model sampled. */
const SAMPLING: readonly (readonly [field: string, key: string, value: (x: number) => GgufValue])[] = [
  ['top_k', 'general.sampling.top_k', i32],
  ['top_p', 'general.sampling.top_p', f32],
  ['temperature', 'general.sampling.temp', f32],
];

function samplingEntries(generation: unknown): Entry[] {
  if (!isRecord(generation)) return [];
  return SAMPLING.flatMap(([field, key, value]): Entry[] => {
    const number = generation[field];
    const fits = typeof number === 'number' && Number.isFinite(number) && Math.abs(number) < 2 ** 31;
    return fits ? [[key, value(field === 'top_k' ? Math.trunc(number) : number)]] : [];
  });
}

export interface GeneralFacts {
  readonly name: string;
  readonly weights: number;
  /** generation_config.json, whatever it holds. */
  readonly generation: unknown;
  readonly card: CardFacts;
}

/** The entries between general.architecture and the hyper-parameters, in the order of llama.cpp's converter. */
export function generalEntries({ name, weights, generation, card }: GeneralFacts): Entry[] {
  const text = (key: string, value: string | undefined): Entry[] =>
    value === undefined ? [] : [[key, str(value)]];
  const list = (key: string, values: readonly string[]): Entry[] =>
    values.length === 0 ? [] : [[key, strings(values)]];
  return [
    ['general.type', str('model')],
    ...samplingEntries(generation),
    ['general.name', str(name)],
    ['general.size_label', str(sizeLabel(weights))],
    ...text('general.license', card.license),
    ...text('general.license.name', card.licenseName),
    ...text('general.license.link', card.licenseLink),
    ...list('general.tags', card.tags),
    ...list('general.languages', card.languages),
  ];
}
