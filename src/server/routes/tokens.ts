/** POST /tokenize, /detokenize and /apply-template: what a model sees of a text. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { templateMessages, templateVariables, toolsOf } from '../answering/prompt.ts';
import type { ServerEnv } from '../env.ts';
import { invalid } from '../errors.ts';
import {
  contentSchema,
  detokenizeRequestSchema,
  promptSchema,
  templateRequestSchema,
  tokenizeRequestSchema,
  tokensSchema,
} from '../schemas/tokens.ts';
import type { AppState } from '../state.ts';
import { errorResponses, json, jsonBody } from './shared.ts';

const ERRORS = errorResponses(400, 401, 404, 413, 415);
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const tokenize = createRoute({
  method: 'post',
  path: '/tokenize',
  operationId: 'tokenize',
  summary: 'The tokens of a text',
  tags: ['Tokens'],
  request: { body: jsonBody(tokenizeRequestSchema) },
  responses: { 200: json('Ids, or ids with their texts.', tokensSchema), ...ERRORS },
});

const detokenize = createRoute({
  method: 'post',
  path: '/detokenize',
  operationId: 'detokenize',
  summary: 'The text of tokens',
  tags: ['Tokens'],
  request: { body: jsonBody(detokenizeRequestSchema) },
  responses: { 200: json('Their text, control tokens written out.', contentSchema), ...ERRORS },
});

const applyTemplate = createRoute({
  method: 'post',
  path: '/apply-template',
  operationId: 'applyTemplate',
  summary: 'A chat as the text that the model reads',
  tags: ['Tokens'],
  request: { body: jsonBody(templateRequestSchema) },
  responses: { 200: json('The text.', promptSchema), ...ERRORS },
});

/** Bytes of a part of a character are no text. */
function textOrBytes(bytes: Uint8Array): string | number[] {
  try {
    return strict.decode(bytes);
  } catch {
    return Array.from(bytes);
  }
}

export function tokenRoutes(app: OpenAPIHono<ServerEnv>, state: AppState): void {
  app.openapi(tokenize, (c) => {
    const { model, content, add_special, parse_special, with_pieces } = c.req.valid('json');
    const { tokenizer } = state.model(model).service;
    const options = { special: parse_special ?? true, bos: add_special ?? false };
    const ids = Array.from(tokenizer.encode(content, options));
    if (!with_pieces) return c.json({ tokens: ids }, 200);
    return c.json({ tokens: ids.map((id) => ({ id, piece: textOrBytes(tokenizer.piece(id)) })) }, 200);
  });

  app.openapi(detokenize, (c) => {
    const { model, tokens } = c.req.valid('json');
    const { tokenizer } = state.model(model).service;
    const stranger = tokens.findIndex((id) => id >= tokenizer.vocabularySize);
    if (stranger >= 0) {
      const problem = `${tokens[stranger]} does not exist; there are ${tokenizer.vocabularySize}`;
      throw invalid(`tokens[${stranger}]`, problem);
    }
    return c.json({ content: tokenizer.decode(tokens, { special: true }) }, 200);
  });

  app.openapi(applyTemplate, (c) => {
    const request = c.req.valid('json');
    const use = toolsOf(state.model(request.model), request);
    const prompt = use.render(templateMessages(request.messages), {
      generationPrompt: request.add_generation_prompt ?? true,
      variables: templateVariables(request),
    });
    return c.json({ prompt }, 200);
  });
}
