/**
 * The native backend beside wasm on a real model, SmolLM2-135M: the same greedy text, the same perplexity. Both keep 12 bits
 * of activations and more here, as commands that measure do.
 */
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Backend, wasmBackend } from '../src/backends/index.ts';
import { Engine, generate, Session } from '../src/generate/index.ts';
import type { GgufFile } from '../src/gguf/index.ts';
import { chooseBackend, nativeSupport, openGguf } from '../src/platform/index.ts';
import { tokenizerOf } from '../src/text/index.ts';
import { bitmill } from './cli.ts';

const CACHE = process.env['BITMILL_TEST_CACHE'] ?? path.join(os.homedir(), '.cache', 'bitmill');
const MODEL = path.join(CACHE, 'smollm2.gguf');
const support = await nativeSupport();
const skip = 'reason' in support ? support.reason : existsSync(MODEL) ? undefined : `no model at ${MODEL}`;
if (skip) console.warn(`native SmolLM2 suite skipped: ${skip}`);

const TOKENS = 64;
const PROMPTS = [
  'The capital of France is',
  'Once upon a time, in a small village by the sea,',
  'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n',
  'The three laws of motion are:\n1.',
  'Water is made of hydrogen and oxygen. Salt is made of',
];

/** Greedy texts of all prompts. */
async function textsOf(gguf: GgufFile, backend: Backend): Promise<string[]> {
  const engine = await Engine.open(gguf, { backend, contextSize: 256, cacheType: 'f32' });
  const session = await Session.open(engine);
  const tokenizer = tokenizerOf(gguf);
  const texts: string[] = [];
  for (const prompt of PROMPTS) {
    session.rewind(0);
    const ids: number[] = [];
    for await (const { id } of generate(session, tokenizer, tokenizer.encode(prompt), { maxTokens: TOKENS }))
      ids.push(id);
    texts.push(tokenizer.decode(ids));
  }
  session.close();
  engine.close();
  return texts;
}

describe.skipIf(skip !== undefined)('native beside wasm', () => {
  const open: { close(): Promise<void> }[] = [];
  let texts: Record<'native' | 'wasm', string[]> = { native: [], wasm: [] };

  beforeAll(async () => {
    const gguf = await openGguf(MODEL);
    const wasm = await wasmBackend({ relaxed: false });
    const native = await (await chooseBackend('native')).open({ threads: 2 });
    open.push(wasm, native, gguf);
    texts = { native: await textsOf(gguf, native), wasm: await textsOf(gguf, wasm) };
  }, 300_000);

  afterAll(async () => {
    for (const one of open) await one.close();
  });

  test.each(PROMPTS.map((prompt, i) => ({ prompt, i })))('greedy text after "$prompt"', ({ i }) => {
    expect(texts.native[i].length).toBeGreaterThan(40);
    expect(texts.native[i]).toBe(texts.wasm[i]);
  });

  test('perplexity is the same within a hundredth of its standard error', () => {
    const file = path.join(import.meta.dirname, '..', 'ARCHITECTURE.md');
    const [native, wasm] = ['native', 'wasm'].map((backend) => {
      const args = ['-m', MODEL, '-f', file, '-c', '256', '--chunks', '4', '--backend', backend, '--json'];
      const { code, stdout, stderr } = bitmill(['perplexity', ...args]);
      expect(code, stderr).toBe(0);
      return JSON.parse(stdout) as { backend: string; ppl: number; ppl_se: number };
    });
    expect([native.backend, wasm.backend]).toEqual(['native', 'wasm']);
    expect(Math.abs(native.ppl - wasm.ppl)).toBeLessThan(wasm.ppl_se / 100);
  }, 300_000);
});
