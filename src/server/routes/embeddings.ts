/** POST /v1/embeddings. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { idsOf, listOf, placeOf } from '../answering/texts.ts';
import type { ServerContext, ServerEnv } from '../env.ts';
import { abortError, apiError, invalid } from '../errors.ts';
import {
  type EmbeddingList,
  type EmbeddingRequest,
  embeddingListSchema,
  embeddingRequestSchema,
} from '../schemas/embeddings.ts';
import type { ServedModel } from '../settings.ts';
import { type AppState, clientOf, plain, requestSignal, Tether } from '../state.ts';
import { errorResponses, json, jsonBody } from './shared.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/embeddings',
  operationId: 'createEmbedding',
  summary: 'Texts as vectors',
  tags: ['Embeddings'],
  request: { body: jsonBody(embeddingRequestSchema) },
  responses: {
    200: json('A vector for each text, in order.', embeddingListSchema),
    ...errorResponses(400, 401, 404, 413, 415, 429, 500, 503),
  },
});

/** f32, little-endian on every machine. */
function base64(vector: Float32Array): string {
  const bytes = new Uint8Array(4 * vector.length);
  const view = new DataView(bytes.buffer);
  vector.forEach((value, i) => {
    view.setFloat32(4 * i, value, true);
  });
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** @throws 400 */
function inputsOf({ service }: ServedModel, { input }: EmbeddingRequest): Int32Array[] {
  const texts = listOf(input);
  return texts.map((text, i) =>
    idsOf(placeOf('input', texts, i), text, service, (one) => service.tokenizer.encode(one, { bos: true })),
  );
}

/** No more at once than the model has slots: the queue is for other clients, too. One failure ends them all. */
async function vectorsOf(
  { service }: ServedModel,
  inputs: readonly Int32Array[],
  request: EmbeddingRequest,
  c: ServerContext,
): Promise<Float32Array[]> {
  const asked = requestSignal(c);
  const tether = new Tether(asked);
  const { signal } = tether;
  const pooling = request.pooling ? { pooling: request.pooling } : {};
  const options = { ...pooling, signal, client: clientOf(c, request.user) };
  const vectors: Float32Array[] = [];
  const waiting = inputs.entries();
  const work = async (): Promise<void> => {
    for (const [i, ids] of waiting) {
      if (asked.aborted) throw abortError(asked);
      vectors[i] = await service.embed(ids, options);
    }
  };
  try {
    const workers = Math.min(inputs.length, Math.max(1, service.stats().slots));
    await Promise.all(Array.from({ length: workers }, work));
    return vectors;
  } catch (error) {
    tether.abort();
    throw asked.aborted ? abortError(asked) : error;
  } finally {
    tether.release();
  }
}

export function embeddingRoutes(app: OpenAPIHono<ServerEnv>, state: AppState): void {
  const { onAnswer } = state.extras;
  app.openapi(route, async (c) => {
    const started = performance.now();
    const request = c.req.valid('json');
    const model = state.model(request.model);
    const { width } = model.service;
    const { dimensions } = request;
    if (dimensions && dimensions !== width) {
      throw invalid('dimensions', `${dimensions}; the vectors of this model have ${width} and are not cut`);
    }
    const inputs = inputsOf(model, request);
    const promptTokens = inputs.reduce((sum, ids) => sum + ids.length, 0);
    const report = (outcome: string): void =>
      onAnswer?.(
        {
          model: model.id,
          route: c.req.path,
          stream: false,
          promptTokens,
          cachedTokens: 0,
          completionTokens: 0,
          outcome,
          totalMs: performance.now() - started,
        },
        plain(c),
      );
    try {
      const vectors = await vectorsOf(model, inputs, request, plain(c));
      report('stop');
      const written = request.encoding_format === 'base64' ? base64 : (one: Float32Array) => Array.from(one);
      const data = vectors.map((vector, index) => ({
        object: 'embedding' as const,
        index,
        embedding: written(vector),
      }));
      const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
      return c.json({ object: 'list', data, model: model.id, usage } satisfies EmbeddingList, 200);
    } catch (error) {
      const { code, type } = apiError(error);
      report(code ?? type);
      throw error;
    }
  });
}
