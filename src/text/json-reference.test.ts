/**
 * Byte-level tokenizer.json files against Hugging Face's own library: SmolLM2's vocabulary (out of its GGUF) under the
 * splitters that models ship.
 */
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Tokenizer as Reference } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { randomText } from '../../test/texts.ts';
import { getNumbers, getStrings } from '../gguf/index.ts';
import { openGguf } from '../platform/index.ts';
import { tokenizerFromJson } from './index.ts';

const CACHE = process.env['BITMILL_TEST_CACHE'] ?? path.join(os.homedir(), '.cache', 'bitmill');
const MODEL = path.join(CACHE, 'smollm2.gguf');
const skip = existsSync(MODEL) ? undefined : `no model at ${MODEL}`;
if (skip) console.warn(`tokenizer.json against the reference: skipped, ${skip}`);

const TEXTS = 2000;
const CONTROL = 3;

/** Control characters whose bytes SmolLM2's vocabulary lacks: they are lost, in the reference as here. */
const LOST: ReadonlySet<number> = new Set([0x04, 0x06, 0x13, 0x14, 0x16, 0x1d]);

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const START = '[^\\r\\n\\p{L}\\p{N}]?';
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const TAIL = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const LLAMA3 = `${CONTRACTIONS}|${START}\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${TAIL}`;
const GPT4O =
  `${START}${UPPER}*${LOWER}+${CONTRACTIONS}?|${START}${UPPER}+${LOWER}*${CONTRACTIONS}?|\\p{N}{1,3}` +
  `| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${TAIL}`;

const bytes = (use_regex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});
const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
const sequence = (...pretokenizers: object[]) => ({ type: 'Sequence', pretokenizers });

const SPLITTERS: readonly (readonly [string, object])[] = [
  ['GPT-2', { pre_tokenizer: bytes(true) }],
  // Not by a step Digits: the reference takes ASCII digits alone for digits, the original in Rust all of \p{N}.
  ['SmolLM2', { pre_tokenizer: sequence(split('\\p{N}'), bytes(true)) }],
  ['Llama 3', { pre_tokenizer: sequence(split(LLAMA3), bytes(false)) }],
  ['GPT-4o', { pre_tokenizer: sequence(split(GPT4O), bytes(false)) }],
  [
    'Qwen 2',
    {
      pre_tokenizer: sequence(split(LLAMA3.replace('{1,3}', '')), bytes(false)),
      normalizer: { type: 'NFC' },
    },
  ],
];

/** A tokenizer.json without a splitter. */
async function baseJson(): Promise<object> {
  const file = await openGguf(MODEL);
  await file.close();
  const texts = getStrings(file.metadata, 'tokenizer.ggml.tokens', MODEL) ?? [];
  const types = getNumbers(file.metadata, 'tokenizer.ggml.token_type', MODEL) ?? [];
  const merges = getStrings(file.metadata, 'tokenizer.ggml.merges', MODEL) ?? [];
  const added = texts.flatMap((content, id) =>
    types[id] === CONTROL
      ? [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }]
      : [],
  );
  return {
    added_tokens: added,
    normalizer: null,
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: Object.fromEntries(texts.map((text, id) => [text, id])), merges },
  };
}

describe.skipIf(skip)('tokenizer.json', async () => {
  const base = skip ? {} : await baseJson();

  test.each(SPLITTERS)(`%s: ${TEXTS} random texts get the reference's ids and come back`, (_, changes) => {
    const json = { ...base, ...changes };
    const ours = tokenizerFromJson(json);
    const reference = new Reference(structuredClone(json), {});
    const random = uniform(8);
    for (let i = 0; i < TEXTS; i++) {
      // The reference takes JavaScript's white space, the original in Rust Unicode's, as is done here: left out.
      const text = randomText(random, ['<|im_start|>', '<|im_end|>', "'S"]).replaceAll(
        /[\u0085\ufeff]/g,
        '-',
      );
      const ids = [...ours.encode(text, { special: true })];
      expect(ids, JSON.stringify(text)).toEqual(reference.encode(text).ids);
      const normal = 'normalizer' in changes ? text.normalize('NFC') : text;
      const kept = Array.from(normal).filter((character) => !LOST.has(character.codePointAt(0) ?? 0));
      expect(ours.decode(ids, { special: true })).toBe(kept.join(''));
    }
  });
});
