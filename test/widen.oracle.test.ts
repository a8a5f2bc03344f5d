/**
 * SmolLM2-135M, widened so that every format applies to it (scripts/widen.mjs), computes what the original computes: in
 * llama.cpp, and in our reference backend, in both layouts.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { widen } from '../scripts/widen.mjs';
import { referenceBackend } from '../src/backends/index.ts';
import { Engine, Session } from '../src/generate/index.ts';
import { openGguf } from '../src/platform/index.ts';
import { bitmill } from './cli.ts';
import { type LlamaOracle, llamaOracle } from './oracle.ts';

const CACHE = process.env['BITMILL_TEST_CACHE'] ?? path.join(os.homedir(), '.cache', 'bitmill');
const MODEL = path.join(CACHE, 'smollm2.gguf');
const oracle = await llamaOracle();
const skip = typeof oracle === 'string' ? oracle : existsSync(MODEL) ? undefined : `no model at ${MODEL}`;
if (skip) console.warn(`widened SmolLM2 suite skipped: ${skip}`);

const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-widen-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));
const BASE = path.join(FOLDER, 'base.gguf');
const LAYOUTS = ['llama', 'phi3'] as const;
const fileOf = (layout: string): string => path.join(FOLDER, `${layout}.gguf`);

/** Logits differ by rounding of f32 sums in another order; relative to the largest logit. */
const FLOAT_NOISE = 1e-5;

const PROMPT = 'The capital of France is';

/** `[T * V]` logits of llama.cpp in f32. */
function peerLogits(file: string): { tokens: Int32Array; logits: Float32Array } {
  const peer = (oracle as LlamaOracle).Peer.open(file, {
    kvType: 'F32',
    flashAttn: 'off',
    nCtx: 64,
    threads: 2,
  });
  const tokens = peer.tokenize(PROMPT);
  const logits = peer.logits(tokens);
  peer.close();
  return { tokens, logits };
}

/** Logits of the last token by the reference backend. */
async function ownLogits(name: string, tokens: Int32Array): Promise<Float32Array> {
  const file = await openGguf(name);
  const backend = referenceBackend();
  const engine = await Engine.open(file, { backend, contextSize: 64, cacheType: 'f32' });
  const session = await Session.open(engine);
  const logits = await session.feed(tokens);
  engine.close();
  await file.close();
  return logits;
}

function difference(found: Float32Array, wanted: Float32Array): number {
  expect(found).toHaveLength(wanted.length);
  const largest = (values: Float32Array) =>
    values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest(wanted.map((value, i) => value - found[i])) / largest(wanted);
}

describe.skipIf(skip)('widened SmolLM2', () => {
  let base: ReturnType<typeof peerLogits> = { tokens: new Int32Array(0), logits: new Float32Array(0) };

  beforeAll(async () => {
    expect(bitmill(['dequantize', MODEL, '-o', BASE, '--dtype', 'f32'])).toMatchObject({ code: 0 });
    base = peerLogits(BASE);
    for (const layout of LAYOUTS) await widen(MODEL, fileOf(layout), { layout, dtype: 'F32' });
  });

  test.each(LAYOUTS)('%s layout: rows of every matrix are whole blocks of 256', async (layout) => {
    const file = await openGguf(fileOf(layout));
    const widths = file.tensors.filter(({ shape }) => shape.length === 2).map(({ shape }) => shape[0]);
    expect(new Set(widths)).toEqual(new Set([768, 1536]));
    await file.close();
  });

  test.each(LAYOUTS)('%s layout: llama.cpp computes the logits of the original', (layout) => {
    const { tokens, logits } = peerLogits(fileOf(layout));
    expect(tokens).toEqual(base.tokens);
    expect(difference(logits, base.logits)).toBeLessThan(FLOAT_NOISE);
  });

  test.each(LAYOUTS)(
    "%s layout: the reference backend computes llama.cpp's logits of the original",
    async (layout) => {
      const last = base.logits.subarray(-base.logits.length / base.tokens.length);
      expect(difference(await ownLogits(fileOf(layout), base.tokens), last)).toBeLessThan(FLOAT_NOISE);
    },
  );

  test('the original by the reference backend, too', async () => {
    const last = base.logits.subarray(-base.logits.length / base.tokens.length);
    expect(difference(await ownLogits(BASE, base.tokens), last)).toBeLessThan(FLOAT_NOISE);
  });
});
