/** The feature-extraction pipeline over a model's service. */
import { usageError } from '../../core/index.ts';
import { type ModelService, POOLINGS } from '../serving/index.ts';
import type { Lifetime } from './lifetime.ts';
import { checkNames } from './names.ts';
import type { FeatureExtractionOptions, FeatureExtractionPipeline, FeatureTensor } from './types.ts';

const OPTIONS = { pooling: true, normalize: true, signal: true } as const satisfies Record<
  keyof FeatureExtractionOptions,
  true
>;

/** @param rows all of width E. */
function tensorOf(rows: readonly Float32Array[], width: number): FeatureTensor {
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => void data.set(row, i * width));
  return {
    type: 'float32',
    dims: [rows.length, width],
    data,
    tolist: () => rows.map((_, i) => Array.from(data.subarray(i * width, (i + 1) * width))),
  };
}

async function extract(
  service: ModelService,
  texts: string | readonly string[],
  options: FeatureExtractionOptions,
): Promise<FeatureTensor> {
  checkNames(options, Object.keys(OPTIONS), 'option of feature-extraction');
  const { pooling: asked, normalize, signal } = options;
  const pooling = POOLINGS.find((one) => one === (asked ?? 'mean'));
  if (pooling === undefined) throw usageError(`pooling: ${String(asked)} is none of ${POOLINGS.join(', ')}`);
  const list: readonly unknown[] = typeof texts === 'string' ? [texts] : texts;
  if (!Array.isArray(list) || !list.every((text) => typeof text === 'string')) {
    throw usageError('the input is neither a text nor a list of texts');
  }
  const request = { pooling, normalize: normalize ?? true, ...(signal ? { signal } : {}) };
  const rows = list.map((text) => service.embed(service.tokenizer.encode(text, { bos: true }), request));
  await Promise.allSettled(rows);
  return tensorOf(await Promise.all(rows), service.width);
}

export function featureExtractionPipeline(
  service: ModelService,
  lifetime: Lifetime,
): FeatureExtractionPipeline {
  const call = async (texts: string | readonly string[], options: FeatureExtractionOptions = {}) => {
    lifetime.check();
    return extract(service, texts, options);
  };
  return Object.assign(call, {
    task: 'feature-extraction' as const,
    tokenizer: service.tokenizer,
    dispose: lifetime.end,
    [Symbol.asyncDispose]: lifetime.end,
  });
}
