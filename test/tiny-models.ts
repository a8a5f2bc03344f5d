/**
 * The random tiny models of test/fixtures/tiny-models as GGUF files in memory, with the logits that transformers
 * computes for them (scripts/fixtures/tiny-models.py).
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConvertType, planConversion, writeConversion } from '../src/convert/index.ts';
import { inlineExecutor, memorySink, memorySource, silentProgress } from '../src/core/index.ts';
import { type GgufFile, readGguf } from '../src/gguf/index.ts';
import { openCheckpoint } from '../src/hf/index.ts';
import { folderFiles } from '../src/platform/index.ts';

const FOLDER = fileURLToPath(new URL('fixtures/tiny-models/', import.meta.url));

export const TINY_MODELS = [
  'phi3',
  'phi3-longrope-gqa',
  'phi3-gqa-window',
  'phi4-partial-tied',
  'llama-gqa-tied',
  'llama3-rope-bias',
  'llama-yarn',
] as const;
export type TinyModel = (typeof TINY_MODELS)[number];

/** The last token's logits after `tokens`, in a model opened for `context` positions. */
export interface LogitsCase {
  readonly context: number;
  readonly tokens: readonly number[];
  readonly logits: readonly number[];
}

export function logitsCases(model: TinyModel): readonly LogitsCase[] {
  const text = readFileSync(path.join(FOLDER, model, 'logits.json'), 'utf8');
  return (JSON.parse(text) as { cases: LogitsCase[] }).cases;
}

/** The checkpoint converted by our own code. */
export async function openTinyModel(model: TinyModel, dtype: ConvertType = 'f32'): Promise<GgufFile> {
  const checkpoint = await openCheckpoint(folderFiles(path.join(FOLDER, model)));
  const plan = await planConversion(checkpoint, { dtype, name: model, warn: () => {} });
  const sink = memorySink(`${model}.gguf`);
  const stream = { executor: inlineExecutor, progress: silentProgress, allowNonFinite: false };
  await writeConversion(checkpoint, plan, sink, stream);
  await checkpoint.close();
  return readGguf([memorySource(sink.bytes(), sink.name)], {});
}
