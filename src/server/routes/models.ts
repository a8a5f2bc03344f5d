/** GET /v1/models and /v1/models/{model}. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ServerEnv } from '../env.ts';
import { type ModelCard, modelListSchema, modelSchema } from '../schemas/models.ts';
import type { ServedModel } from '../settings.ts';
import type { AppState } from '../state.ts';
import { errorResponses, json } from './shared.ts';

const list = createRoute({
  method: 'get',
  path: '/v1/models',
  operationId: 'listModels',
  summary: 'The models that are served',
  tags: ['Models'],
  responses: { 200: json('All of them.', modelListSchema), ...errorResponses(401) },
});

const one = createRoute({
  method: 'get',
  path: '/v1/models/{model}',
  operationId: 'retrieveModel',
  summary: 'One model',
  tags: ['Models'],
  request: { params: z.object({ model: z.string() }) },
  responses: { 200: json('The model.', modelSchema), ...errorResponses(401, 404) },
});

function card({ id, created, fileType, size, service }: ServedModel): ModelCard {
  return {
    id,
    object: 'model',
    created,
    owned_by: 'bitmill',
    context_size: service.contextSize,
    embedding_size: service.width,
    vocabulary_size: service.tokenizer.vocabularySize,
    chat: service.template !== undefined,
    ...(fileType === undefined ? {} : { file_type: fileType }),
    ...(size === undefined ? {} : { size }),
  };
}

export function modelRoutes(app: OpenAPIHono<ServerEnv>, state: AppState): void {
  app.openapi(list, (c) => {
    return c.json({ object: 'list' as const, data: Array.from(state.models.values(), card) }, 200);
  });
  app.openapi(one, (c) => c.json(card(state.model(c.req.valid('param').model)), 200));
  // Ids with slashes that a client left as they are.
  app.get('/v1/models/:model{.+}', (c) => c.json(card(state.model(c.req.param('model')))));
}
