/**
 * Logits of random tiny models against those that transformers computes in f32: every architecture, rotary scaling,
 * grouped heads, a sliding window, tied embeddings, biases; by every backend.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Backend, referenceBackend, wasmBackend } from '../src/backends/index.ts';
import { Engine, Session } from '../src/generate/index.ts';
import type { GgufFile } from '../src/gguf/index.ts';
import type { AttentionAlgorithm, CacheType } from '../src/graph/index.ts';
import { type LogitsCase, logitsCases, openTinyModel, TINY_MODELS, type TinyModel } from './tiny-models.ts';

/** Largest difference relative to the largest logit. Transformers rounds every step to f32. */
const TOLERANCE = 1e-4;

interface BackendEntry {
  readonly make: () => Promise<Backend>;
  /** How far two ways of computing the same may be apart: eager and flash, one batch and many. */
  readonly agreement: number;
}

const BACKENDS: Readonly<Record<string, BackendEntry>> = {
  reference: { make: async () => referenceBackend(), agreement: 1e-6 },
  wasm: { make: () => wasmBackend(), agreement: 1e-5 },
};

interface Settings {
  readonly attention?: AttentionAlgorithm;
  /** Tokens a run; the cache carries the rest. */
  readonly batch?: number;
  readonly cacheType?: CacheType;
}

const files = new Map<TinyModel, GgufFile>();
beforeAll(async () => {
  for (const model of TINY_MODELS) files.set(model, await openTinyModel(model));
});

async function lastLogits(
  backend: Backend,
  model: TinyModel,
  { context, tokens }: LogitsCase,
  settings: Settings = {},
): Promise<Float32Array> {
  const file = files.get(model) ?? (await openTinyModel(model));
  const engine = await Engine.open(file, { backend, contextSize: context, cacheType: 'f32', ...settings });
  const session = await Session.open(engine);
  const logits = await session.feed(Int32Array.from(tokens));
  session.close();
  engine.close();
  return logits;
}

function difference(found: Float32Array, wanted: ArrayLike<number>): number {
  expect(found).toHaveLength(wanted.length);
  const numbers = Array.from(wanted);
  const error = Math.max(...numbers.map((logit, i) => Math.abs(logit - found[i])));
  return error / Math.max(...numbers.map(Math.abs));
}

const CASES = TINY_MODELS.flatMap((model) =>
  logitsCases(model).map((one) => ({ model, tokens: one.tokens.length, one })),
);

describe.each(Object.entries(BACKENDS))('%s', (_, { make, agreement }) => {
  let backend = referenceBackend();
  beforeAll(async () => {
    backend = await make();
  });
  afterAll(() => backend.close());

  test.each(CASES)('$model, $tokens tokens: logits within 1e-4 of transformers', async ({ model, one }) => {
    expect(difference(await lastLogits(backend, model, one), one.logits)).toBeLessThan(TOLERANCE);
  });

  test.each(TINY_MODELS)('%s: eager and flash attention agree', async (model) => {
    const [, long] = logitsCases(model);
    const eager = await lastLogits(backend, model, long, { attention: 'eager' });
    const flash = await lastLogits(backend, model, long, { attention: 'flash' });
    expect(difference(flash, eager)).toBeLessThan(agreement);
  });

  test.each(TINY_MODELS)('%s: 7 tokens a run give the same logits as 300', async (model) => {
    const [, long] = logitsCases(model);
    const whole = await lastLogits(backend, model, long);
    expect(difference(await lastLogits(backend, model, long, { batch: 7 }), whole)).toBeLessThan(agreement);
  });

  test('an f16 cache costs less than 1e-2 of the largest logit', async () => {
    const [, long] = logitsCases('phi3');
    const found = await lastLogits(backend, 'phi3', long, { cacheType: 'f16' });
    expect(difference(found, long.logits)).toBeLessThan(1e-2);
  });

  test('a q8_0 cache costs less than 5e-2 of the largest logit', async () => {
    const [, long] = logitsCases('llama-yarn');
    const found = await lastLogits(backend, 'llama-yarn', long, { cacheType: 'q8_0' });
    expect(difference(found, long.logits)).toBeLessThan(5e-2);
  });
});

test('the sliding window decides: without it, the logits after 300 tokens are others', async () => {
  const [, long] = logitsCases('phi3-gqa-window');
  const file = await openTinyModel('phi3-gqa-window');
  file.metadata.delete('phi3.attention.sliding_window');
  files.set('phi3-gqa-window', file);
  const found = await lastLogits(referenceBackend(), 'phi3-gqa-window', long);
  expect(difference(found, long.logits)).toBeGreaterThan(0.01);
});
