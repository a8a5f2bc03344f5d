/** The `general.*` metadata of a converted checkpoint: what it is, how it is called, how large it is. */
import { str } from '../gguf/index.ts';
import type { Architecture, Entry } from './architecture.ts';

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

/** What a model card's head says, as far as it is copied into the file. */
export interface CardFacts {
  readonly license: string | undefined;
}

/** The license of a README.md whose front matter names one. */
export function readCard(text: string | undefined): CardFacts {
  const head = text === undefined ? undefined : /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1];
  const license =
    head === undefined ? undefined : /^license:[ \t]*["']?([\w.+-]{1,80})["']?[ \t]*$/m.exec(head)?.[1];
  return { license };
}

/** The entries between general.architecture and the hyper-parameters. */
export function generalEntries(name: string, weights: number, { license }: CardFacts): Entry[] {
  return [
    ['general.type', str('model')],
    ['general.name', str(name)],
    ['general.size_label', str(sizeLabel(weights))],
    ...(license === undefined ? [] : [['general.license', str(license)] as const]),
  ];
}
