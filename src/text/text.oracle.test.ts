/** Tokenizers out of GGUF files against llama.cpp, id by id, on random texts and on whole books of words. */
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { DATA, type LlamaOracle, llamaOracle, type PeerModel } from '../../test/oracle.ts';
import { uniform } from '../../test/random.ts';
import { randomText } from '../../test/texts.ts';
import { openGguf } from '../platform/index.ts';
import { type Tokenizer, tokenizerOf } from './index.ts';

const CACHE = process.env['BITMILL_TEST_CACHE'] ?? path.join(os.homedir(), '.cache', 'bitmill');
const TEXTS = 10_000;

/** Vocabularies, and some of their special tokens. */
const FILES = [
  {
    name: 'SmolLM2 (byte-level)',
    file: path.join(CACHE, 'smollm2.gguf'),
    specials: ['<|im_start|>', '<|im_end|>', '<|endoftext|>', '<file_sep>', '<|im_'],
  },
  {
    name: 'Phi-3 (SentencePiece)',
    file: path.join(DATA, 'phi-3-mini', 'ggml-vocab-phi-3.gguf'),
    specials: [
      '<s>',
      '</s>',
      '<unk>',
      '<|user|>',
      '<|end|>',
      '<|assistant|>',
      '<|endoftext|>',
      '<|us',
      '<0x41>',
    ],
  },
  {
    name: 'Phi-3 cut to 2,048 tokens',
    file: path.join(DATA, 'fixtures', 'a-phi3.gguf'),
    specials: ['<s>', '</s>', '<unk>', '<|user|>', '<0x0A>'],
  },
] as const;

const oracle = await llamaOracle();

async function openBoth(file: string): Promise<{ ours: Tokenizer; peer: PeerModel }> {
  const gguf = await openGguf(file);
  const ours = tokenizerOf(gguf);
  await gguf.close();
  return { ours, peer: (oracle as LlamaOracle).Peer.open(file, { vocabOnly: true }) };
}

function expectEqual(ours: Tokenizer, peer: PeerModel, text: string): void {
  for (const special of [false, true]) {
    const expected = peer.tokenize(text, { addSpecial: true, parseSpecial: special });
    const found = ours.encode(text, { bos: true, special });
    if (Buffer.compare(Buffer.from(found.buffer), Buffer.from(expected.buffer)) === 0) continue;
    expect([...found], `special: ${special}, text ${JSON.stringify(text.slice(0, 200))}`).toEqual([
      ...expected,
    ]);
  }
}

for (const { name, file, specials } of FILES) {
  const skip = typeof oracle === 'string' ? oracle : existsSync(file) ? undefined : `no file ${file}`;
  if (skip) console.warn(`${name}: skipped, ${skip}`);
  describe.skipIf(skip)(name, async () => {
    const { ours, peer } = skip ? ({} as Awaited<ReturnType<typeof openBoth>>) : await openBoth(file);

    test(`${TEXTS} random texts get llama.cpp's ids, with and without special tokens`, () => {
      const random = uniform(1);
      for (let i = 0; i < TEXTS; i++) expectEqual(ours, peer, randomText(random, specials));
    });

    test.each(['calibration/groups_merged.txt', 'text/wikitext-2-valid.txt'])('%s gets its ids', (text) => {
      expectEqual(ours, peer, readFileSync(path.join(DATA, text), 'utf8'));
    });

    test('the same tokens end a generation', () => {
      for (let id = 0; id < ours.vocabularySize; id++) {
        expect(ours.isEndOfGeneration(id), `token ${id}`).toBe(peer.isEog(id));
      }
    });

    test('ids become the same text', () => {
      const random = uniform(2);
      for (let i = 0; i < 1000; i++) {
        const ids = ours.encode(randomText(random, specials), { special: true });
        expect(ours.decode(ids, { special: true })).toBe(peer.detokenize(ids));
      }
    });
  });
}
