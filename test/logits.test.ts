/**
 * Logits of random tiny models by the reference backend, against those that transformers computes in f32: every
 * architecture, rotary scaling, grouped heads, a sliding window, tied embeddings, biases.
 */
import { expect, test } from 'vitest';
import { type Backend, referenceBackend } from '../src/backends/index.ts';
import { Engine, Session } from '../src/generate/index.ts';
import type { AttentionAlgorithm, CacheType } from '../src/graph/index.ts';
import { type LogitsCase, logitsCases, openTinyModel, TINY_MODELS, type TinyModel } from './tiny-models.ts';

/** Largest difference relative to the largest logit. Transformers rounds every step to f32. */
const TOLERANCE = 1e-4;

interface Settings {
  readonly attention?: AttentionAlgorithm;
  /** Tokens a run; the cache carries the rest. */
  readonly batch?: number;
  readonly cacheType?: CacheType;
}

async function lastLogits(
  backend: Backend,
  model: TinyModel,
  { context, tokens }: LogitsCase,
  settings: Settings = {},
): Promise<Float32Array> {
  const file = await openTinyModel(model);
  const engine = await Engine.open(file, { backend, contextSize: context, cacheType: 'f32', ...settings });
  const session = await Session.open(engine);
  const logits = await session.feed(Int32Array.from(tokens));
  session.close();
  engine.close();
  await file.close();
  return logits;
}

function difference(found: Float32Array, wanted: readonly number[]): number {
  expect(found).toHaveLength(wanted.length);
  return (
    Math.max(...wanted.map((logit, i) => Math.abs(logit - found[i]))) / Math.max(...wanted.map(Math.abs))
  );
}

const CASES = TINY_MODELS.flatMap((model) =>
  logitsCases(model).map((one) => ({ model, tokens: one.tokens.length, one })),
);

test.each(CASES)('$model, $tokens tokens: logits within 1e-4 of transformers', async ({ model, one }) => {
  const error = difference(await lastLogits(referenceBackend(), model, one), one.logits);
  expect(error).toBeLessThan(TOLERANCE);
});

test.each(TINY_MODELS)('%s: eager and flash attention agree within 1e-6', async (model) => {
  const [, long] = logitsCases(model);
  const eager = await lastLogits(referenceBackend(), model, long, { attention: 'eager' });
  const flash = await lastLogits(referenceBackend(), model, long, { attention: 'flash' });
  expect(difference(flash, [...eager])).toBeLessThan(1e-6);
});

test.each(TINY_MODELS)('%s: 7 tokens a run give the same logits as 300, bit for bit', async (model) => {
  const [, long] = logitsCases(model);
  const whole = await lastLogits(referenceBackend(), model, long, { attention: 'eager' });
  expect(await lastLogits(referenceBackend(), model, long, { attention: 'eager', batch: 7 })).toEqual(whole);
});

test('an f16 cache costs less than 1e-2 of the largest logit', async () => {
  const [, long] = logitsCases('phi3');
  const found = await lastLogits(referenceBackend(), 'phi3', long, { cacheType: 'f16' });
  expect(difference(found, long.logits)).toBeLessThan(1e-2);
});
