/** A model that was opened: what the worker does with it. Runs anywhere; bitmill comes through its doors. */
import { type SpawnThread, wasmBackend } from '../../../../../src/backends/index.ts';
import { type ByteSource, blobSource } from '../../../../../src/core/index.ts';
import { Engine, type ModelService, openSequences, openService } from '../../../../../src/generate/index.ts';
import {
  type GgufFile,
  httpSource,
  parseShardName,
  readGguf,
  shardName,
  trainedContext,
} from '../../../../../src/gguf/index.ts';
import { chatTemplateOf, tokenizerOf } from '../../../../../src/text/index.ts';
import type { AnswerToken, ModelInfo, ScoreRequest } from '../../provider.ts';
import { answerToken, promptOf } from './answering.ts';
import type { ModelSource } from './protocol.ts';

/** Positions at most: the caches of a browser's model are kept small. */
const MOST_CONTEXT = 8192;

/** Sequences that share the model: a chat, and its retrieval or comparison beside it. */
const SEQUENCES = 2;

export interface LocalModel {
  readonly info: Omit<ModelInfo, 'id'>;
  readonly service: ModelService;
  close(): Promise<void>;
}

async function sourcesOf(source: ModelSource): Promise<ByteSource[]> {
  if (source.kind === 'files') return source.files.map((file) => blobSource(file));
  const shard = parseShardName(source.url);
  if (!shard) return [await httpSource(source.url)];
  const urls = Array.from({ length: shard.count }, (_, i) => shardName(shard.prefix, i, shard.count));
  return Promise.all(urls.map((url) => httpSource(url)));
}

export async function openSource(
  source: ModelSource,
  threads: { readonly count: number; readonly spawn?: SpawnThread },
): Promise<LocalModel> {
  const sources = await sourcesOf(source);
  const bytes = sources.reduce((sum, { size }) => sum + size, 0);
  const file = await readGguf(sources);
  return openModel(file, threads, bytes);
}

/** @throws input error: no model that can be run; resources error: it does not fit. */
export async function openModel(
  file: GgufFile,
  { count, spawn }: { readonly count: number; readonly spawn?: SpawnThread },
  bytes?: number,
): Promise<LocalModel> {
  const backend = await wasmBackend(spawn && count > 1 ? { threads: count, spawn } : {});
  const contextSize = Math.min(MOST_CONTEXT, trainedContext(file) ?? MOST_CONTEXT);
  try {
    const engine = await Engine.open(file, { backend, contextSize, sequences: SEQUENCES });
    const tokenizer = tokenizerOf(file);
    const hasTemplate = file.metadata.has('tokenizer.chat_template');
    const service = openService({
      sequences: await openSequences(engine),
      tokenizer,
      template: hasTemplate ? chatTemplateOf(file, tokenizer) : undefined,
      width: engine.model.hyper.width,
      queue: Number.POSITIVE_INFINITY,
    });
    return {
      info: { contextSize, ...(bytes === undefined ? {} : { bytes }) },
      service,
      close: async () => {
        await service.close();
        engine.close();
        await backend.close();
      },
    };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** One vector of unit length for each text. */
export async function embedTexts(
  service: ModelService,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (const text of texts) {
    const ids = service.tokenizer.encode(text, { bos: true }).slice(0, service.contextSize);
    vectors.push(await service.embed(ids, { signal }));
  }
  return vectors;
}

/** What the model thinks of each token of an answer behind `messages`. */
export async function scoreText(
  service: ModelService,
  { messages, answer, top }: Omit<ScoreRequest, 'signal'>,
  signal: AbortSignal,
): Promise<AnswerToken[]> {
  const prompt = promptOf(service, messages);
  const ids = service.tokenizer.encode(answer);
  const scores = await service.score(Int32Array.of(...prompt, ...ids), { top, signal });
  // The first token of all has no score.
  return scores.slice(prompt.length - 1).map((one) => answerToken(service.tokenizer, one, one.top));
}
