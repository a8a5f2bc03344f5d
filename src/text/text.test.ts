/** Tokenizers against upstream's vectors and Hugging Face's own tokenizer library. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Tokenizer as Reference } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import { DATA } from '../../test/oracle.ts';
import { uniform } from '../../test/random.ts';
import { randomText } from '../../test/texts.ts';
import { openGguf } from '../platform/index.ts';
import { chatTemplateOf, type Tokenizer, tokenizerFromJson, tokenizerOf } from './index.ts';

const FOLDER = path.join(DATA, 'phi-3-mini');
const skip = existsSync(FOLDER) ? undefined : `no data at ${FOLDER}`;
if (skip) console.warn(`Phi-3 vocabulary: skipped, ${skip}`);

const SPECIALS = [
  '<s>',
  '</s>',
  '<unk>',
  '<|user|>',
  '<|end|>',
  '<|assistant|>',
  '<|endoftext|>',
  '<|us',
  '<0x41>',
];
const TEXTS = 10_000;

const read = (file: string): string => readFileSync(path.join(DATA, file), 'utf8');
const readJson = (file: string): unknown => JSON.parse(read(`phi-3-mini/${file}`));

async function fromGguf(): Promise<Tokenizer> {
  const gguf = await openGguf(path.join(FOLDER, 'ggml-vocab-phi-3.gguf'));
  await gguf.close();
  return tokenizerOf(gguf);
}

/** Texts and ids as llama.cpp keeps them: texts with a separator between, a line of ids for each. */
function vectors(): { text: string; ids: number[] }[] {
  const texts = read('phi-3-mini/ggml-vocab-phi-3.gguf.inp').split('\n__ggml_vocab_test__\n').slice(0, -1);
  const lines = read('phi-3-mini/ggml-vocab-phi-3.gguf.out').split('\n');
  return texts.map((text, i) => ({ text, ids: (lines[i].match(/\d+/g) ?? []).map(Number) }));
}

describe.skipIf(skip)('Phi-3', async () => {
  const gguf = skip ? ({} as Tokenizer) : await fromGguf();
  const config = skip ? {} : readJson('tokenizer_config.json');
  const json = skip ? ({} as Tokenizer) : tokenizerFromJson(readJson('tokenizer.json'), { config });
  const reference = skip
    ? undefined
    : new Reference(readJson('tokenizer.json') as object, config as Record<string, unknown>);

  const expectEqual = (text: string): void => {
    const expected = Int32Array.from(reference?.encode(text).ids ?? []);
    const found = json.encode(text, { special: true });
    if (Buffer.compare(Buffer.from(found.buffer), Buffer.from(expected.buffer)) === 0) return;
    expect([...found], JSON.stringify(text.slice(0, 200))).toEqual([...expected]);
  };

  test("all of llama.cpp's vectors get their ids, from the GGUF and from tokenizer.json", () => {
    expect(vectors()).toHaveLength(46);
    for (const { text, ids } of vectors()) {
      expect([...gguf.encode(text)], JSON.stringify(text)).toEqual(ids);
      expect([...json.encode(text)], JSON.stringify(text)).toEqual(ids);
    }
  });

  test(`${TEXTS} random texts get the same ids from both files, but for Unicode spaces behind a stripping token`, () => {
    const random = uniform(6);
    for (let i = 0; i < TEXTS; i++) {
      // llama.cpp strips C's white space there, Hugging Face's tokenizers Unicode's; each file is read as its own do.
      const text = randomText(random, SPECIALS).replaceAll(/[^\P{White_Space}\t-\r ]/gu, ' ');
      expect(json.encode(text, { special: true })).toEqual(gguf.encode(text, { special: true }));
    }
    const apart = '<|end|>\u3000a';
    expect(gguf.decode(gguf.encode(apart, { special: true }))).toBe('\u3000a');
    expect(json.decode(json.encode(apart, { special: true }))).toBe('a');
  });

  test(`${TEXTS} random texts come back as they were, from one text and token by token`, () => {
    const random = uniform(4);
    for (let i = 0; i < TEXTS; i++) {
      // </s> takes the white space behind it along; ▁ is how the vocabulary writes a space.
      const text = randomText(random, ['<s>', '<|end|>', '<0x41>', '</']).replaceAll('▁', '');
      const ids = gguf.encode(text);
      const decoder = gguf.decoder();
      const streamed = [...Array.from(ids, (id) => decoder.push(id)), decoder.flush()].join('');
      expect(gguf.decode(ids)).toBe(text);
      expect(streamed).toBe(text);
      expect(json.decode(json.encode(text))).toBe(text);
    }
  });

  test(`${TEXTS} random texts get the ids of Hugging Face's tokenizers`, () => {
    const random = uniform(3);
    // Behind a token that strips, the reference strips JavaScript's white space: not U+0085, but U+FEFF. The original
    // in Rust strips Unicode's, as is done here, so these two are left out.
    for (let i = 0; i < TEXTS; i++)
      expectEqual(randomText(random, SPECIALS).replaceAll(/[\u0085\ufeff]/g, '-'));
  });

  test("the file's chat template writes a chat; white space behind its tokens is theirs", async () => {
    const file = await openGguf(path.join(FOLDER, 'ggml-vocab-phi-3.gguf'));
    await file.close();
    const template = chatTemplateOf(file, gguf);
    const messages = [{ role: 'user', content: 'Hi<|end|>' }];
    expect(template.render(messages)).toBe('<s><|user|>\nHi<|end|><|end|>\n<|assistant|>\n');
    const ids = template.encode(messages);
    expect(gguf.decode(ids, { special: true })).toBe('<s><|user|> Hi<|end|><|end|><|assistant|>');
    const [user, end, assistant] = ['<|user|>', '<|end|>', '<|assistant|>'].map((text) => gguf.tokenOf(text));
    expect([...ids].filter((id) => gguf.isControl(id))).toEqual([1, user, end, assistant]);
  });

  test.each(['calibration/groups_merged.txt', 'text/wikitext-2-valid.txt'])('%s gets its ids', (file) => {
    for (const part of read(file).match(/[\s\S]{1,2000}/gu) ?? []) expectEqual(part);
  });
});
