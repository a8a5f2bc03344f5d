/** Every name of a pre-tokenizer against llama.cpp: SmolLM2's vocabulary under that name, on random texts. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type LlamaOracle, llamaOracle } from '../../test/oracle.ts';
import { uniform } from '../../test/random.ts';
import { randomText } from '../../test/texts.ts';
import { layoutGguf, type Metadata, str } from '../gguf/index.ts';
import { openGguf } from '../platform/index.ts';
import { tokenizerOf } from './index.ts';
import { PRE_TOKENIZERS } from './pre-tokenizers.ts';

const CACHE = process.env['BITMILL_TEST_CACHE'] ?? path.join(os.homedir(), '.cache', 'bitmill');
const MODEL = path.join(CACHE, 'smollm2.gguf');
const oracle = await llamaOracle();
const skip = typeof oracle === 'string' ? oracle : existsSync(MODEL) ? undefined : `no model at ${MODEL}`;
if (skip) console.warn(`pre-tokenizers: skipped, ${skip}`);

const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-pre-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

/** Random texts for the first name of each way of splitting, and for its other names. */
const TEXTS = 1000;
const TEXTS_AGAIN = 50;

const NAMES = [...PRE_TOKENIZERS].map(([name, { splitter }], i, all) => {
  const first = all.findIndex(([, other]) => other.splitter === splitter) === i;
  return { name, count: first ? TEXTS : TEXTS_AGAIN };
});

async function metadataOf(file: string): Promise<Metadata> {
  const gguf = await openGguf(file);
  await gguf.close();
  return gguf.metadata;
}

describe.skipIf(skip)('pre-tokenizers', async () => {
  const metadata: Metadata = skip ? new Map() : await metadataOf(MODEL);

  test.each(NAMES)('$name splits $count random texts as llama.cpp does', async ({ name, count }) => {
    const file = path.join(FOLDER, `${name}.gguf`);
    const renamed = new Map([...metadata, ['tokenizer.ggml.pre', str(name)]]) as Metadata;
    writeFileSync(file, layoutGguf({ metadata: renamed, tensors: [] }).header);
    const gguf = await openGguf(file);
    const ours = tokenizerOf(gguf);
    await gguf.close();
    const peer = (oracle as LlamaOracle).Peer.open(file, { vocabOnly: true });
    const random = uniform(5);
    for (let i = 0; i < count; i++) {
      const text = randomText(random, ["'ſ", "it'Re", 'XMLHttpRequest', '12345', '🇩🇪', '  \n  x', '?!\n\n/']);
      const found = [...ours.encode(text)];
      expect(found, JSON.stringify(text)).toEqual([...peer.tokenize(text, { addSpecial: false })]);
    }
    peer.close();
    rmSync(file);
  });
});
