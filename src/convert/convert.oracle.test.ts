/**
 * What `convert` and `dequantize` write, read by llama.cpp: tokens equal its own vectors, logits equal those of
 * transformers (test/fixtures/tiny-models, made by scripts/fixtures/tiny-models.py).
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { DATA, llamaOracle } from '../../test/oracle.ts';
import { openTestCheckpoint, phi3Files, tensorOf } from '../../test/tiny-checkpoints.ts';
import { inlineExecutor, silentProgress } from '../core/index.ts';
import { type Checkpoint, openCheckpoint } from '../hf/index.ts';
import { folderFiles, openGguf, writeAtomically } from '../platform/index.ts';
import { type ConvertType, planConversion, writeConversion } from './convert.ts';
import { planDequantize, writeDequantized } from './dequantize.ts';

const oracle = await llamaOracle();
const FIXTURES = fileURLToPath(new URL('../../test/fixtures/tiny-models/', import.meta.url));
const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-convert-'));
const STREAM = { executor: inlineExecutor, progress: silentProgress, allowNonFinite: false };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function write(checkpoint: Checkpoint, dtype: ConvertType | 'auto', name: string): Promise<string> {
  const plan = await planConversion(checkpoint, { dtype, name, warn: () => {} });
  const file = path.join(folder, `${name}-${dtype}.gguf`);
  await writeAtomically(file, async (sink) => void (await writeConversion(checkpoint, plan, sink, STREAM)));
  return file;
}

if (typeof oracle === 'string') {
  it.skip(`llama.cpp is not here: ${oracle}`, () => {});
} else {
  const { Peer } = oracle;

  interface Reference {
    readonly cases: readonly {
      readonly context: number;
      readonly tokens: readonly number[];
      readonly logits: readonly number[];
    }[];
  }

  /** Largest difference of logits, relative to the largest logit. */
  function compare(file: string, model: string): number {
    const text = readFileSync(path.join(FIXTURES, model, 'logits.json'), 'utf8');
    const errors = (JSON.parse(text) as Reference).cases.map(({ context, tokens, logits }) => {
      const peer = Peer.open(file, { kvType: 'F32', flashAttn: 'off', nCtx: context });
      const found = peer.logits(tokens, { lastOnly: true });
      peer.close();
      const scale = Math.max(...logits.map(Math.abs));
      return Math.max(...logits.map((logit, i) => Math.abs(logit - found[i]))) / scale;
    });
    return Math.max(...errors);
  }

  describe('logits of random models, against transformers in f32', () => {
    it.each([
      'phi3',
      'phi3-longrope-gqa',
      'phi4-partial-tied',
      'llama-gqa-tied',
      'llama3-rope-bias',
      'llama-yarn',
    ])('%s: within 1e-5 from f32, the same from bf16 within what llama.cpp rounds', async (model) => {
      const checkpoint = await openCheckpoint(folderFiles(path.join(FIXTURES, model)));
      expect(compare(await write(checkpoint, 'f32', model), model)).toBeLessThan(1e-5);
      expect(compare(await write(checkpoint, 'auto', model), model)).toBeLessThan(0.03);
      await checkpoint.close();
    });

    it('f16 loads too', async () => {
      const checkpoint = await openCheckpoint(folderFiles(path.join(FIXTURES, 'llama-gqa-tied')));
      expect(compare(await write(checkpoint, 'f16', 'f16'), 'llama-gqa-tied')).toBeLessThan(0.03);
      await checkpoint.close();
    });
  });

  const data = path.join(DATA, 'phi-3-mini');
  const vocabulary = path.join(data, 'ggml-vocab-phi-3.gguf');

  describe.skipIf(!existsSync(vocabulary))('the tokenizer of Phi-3-mini, from tokenizer.json alone', () => {
    /** The real tokenizer and a model 8 wide. */
    async function phi3Mini(): Promise<Checkpoint> {
      const tokenizerFiles = ['tokenizer.json', 'tokenizer_config.json'].map((name) => [
        name,
        readFileSync(path.join(data, name), 'utf8'),
      ]);
      const zeros = tensorOf('BF16', [32064, 8], new Float32Array(32064 * 8));
      return openTestCheckpoint(
        phi3Files({
          config: { vocab_size: 32064, eos_token_id: 32000, pad_token_id: 32000 },
          tensors: { 'model.embed_tokens.weight': zeros, 'lm_head.weight': zeros },
          files: Object.fromEntries(tokenizerFiles),
        }),
      );
    }

    it("has the tokens and scores of llama.cpp's own conversion, ids 3 to 31999", async () => {
      const plan = await planConversion(await phi3Mini(), { dtype: 'auto', warn: () => {} });
      const reference = await openGguf(vocabulary);
      for (const key of ['tokens', 'scores', 'token_type']) {
        const ours = plan.metadata.get(`tokenizer.ggml.${key}`)?.value;
        const theirs = reference.metadata.get(`tokenizer.ggml.${key}`)?.value;
        if (!Array.isArray(ours) || !Array.isArray(theirs)) throw new Error(`${key} is not a list`);
        expect(ours.slice(3, 32000)).toEqual(theirs.slice(3, 32000));
        // Beyond, the reference is an older conversion that types padding differently.
        if (key !== 'token_type') expect(ours.slice(0, 32011)).toEqual(theirs.slice(0, 32011));
      }
      await reference.close();
    });

    it('tokenizes every text of the vectors as they say', async () => {
      const file = await write(await phi3Mini(), 'auto', 'tokenizer');
      const texts = readFileSync(`${vocabulary}.inp`, 'utf8').split('\n__ggml_vocab_test__\n');
      const expected = readFileSync(`${vocabulary}.out`, 'utf8').split('\n');
      const peer = Peer.open(file, { vocabOnly: true });
      const found = texts.map((text) => [...peer.tokenize(text, { addSpecial: false })].join(' '));
      peer.close();
      expect(found).toEqual(expected.slice(0, texts.length).map((line) => line.trim()));
    });

    it('strips whitespace after special tokens, because the name says Phi-3', async () => {
      const file = await write(await phi3Mini(), 'auto', 'tuned');
      const peer = Peer.open(file, { vocabOnly: true });
      const tokens = peer.tokenize('<|user|>\nHi<|end|>\n<|assistant|>\n', {
        addSpecial: false,
        parseSpecial: true,
      });
      peer.close();
      expect([...tokens]).toEqual([32010, 6324, 32007, 32001]);
    });
  });

  const smollm = path.join(os.homedir(), '.cache', 'bitmill', 'smollm2.gguf');

  it.skipIf(!existsSync(smollm))('SmolLM2, dequantized to f32, writes the text of its source', async () => {
    const source = await openGguf(smollm);
    const file = path.join(folder, 'smollm2-f32.gguf');
    const plan = planDequantize(source, 'f32');
    await writeAtomically(file, async (sink) => void (await writeDequantized(source, plan, sink, STREAM)));
    await source.close();
    const greedy = (model: string): string => {
      const peer = Peer.open(model, { kvType: 'F32', flashAttn: 'off' });
      const text = peer.detokenize(peer.greedy(peer.tokenize('The capital of France is'), 8));
      peer.close();
      return text;
    };
    expect(greedy(file)).toContain('Paris');
    expect(greedy(smollm)).toContain('Paris');
  });
}
