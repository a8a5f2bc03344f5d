/** POST /v1/chat/completions: what is answered, at once or in chunks. */
import { z } from '@hono/zod-openapi';
import { usageSchema } from './common.ts';

const tokenFields = {
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int()).openapi({ description: 'UTF-8 of the token: a character may span several.' }),
};

const tokenLogprobSchema = z
  .object({ ...tokenFields, top_logprobs: z.array(z.object(tokenFields)) })
  .openapi('TokenLogprob');
export type TokenLogprobEntry = z.output<typeof tokenLogprobSchema>;

const logprobsSchema = z.object({ content: z.array(tokenLogprobSchema), refusal: z.null() });

const finishReason = z.enum(['stop', 'length', 'tool_calls', 'content_filter']);
export type ChatFinishReason = z.output<typeof finishReason>;

const toolCallSchema = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({
    name: z.string(),
    arguments: z.string().openapi({ description: 'JSON, as the model wrote it.' }),
  }),
});
export type AnsweredToolCall = z.output<typeof toolCallSchema>;

export const chatCompletionSchema = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.int().openapi({ description: 'Seconds since 1970.' }),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          tool_calls: z.array(toolCallSchema).optional(),
        }),
        logprobs: logprobsSchema.nullable(),
        finish_reason: finishReason,
      }),
    ),
    usage: usageSchema,
  })
  .openapi('ChatCompletion');
export type ChatCompletion = z.output<typeof chatCompletionSchema>;

const deltaSchema = z.object({
  role: z.literal('assistant').optional(),
  content: z.string().nullable().optional(),
  tool_calls: z
    .array(toolCallSchema.extend({ index: z.int() }))
    .optional()
    .openapi({ description: 'Each call is told at once, when it is whole.' }),
});
export type ChatDelta = z.output<typeof deltaSchema>;

export const chatChunkSchema = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion.chunk'),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        delta: deltaSchema,
        logprobs: logprobsSchema.nullable(),
        finish_reason: finishReason.nullable(),
      }),
    ),
    usage: z.union([usageSchema, z.null()]).optional(),
  })
  .openapi('ChatCompletionChunk');
export type ChatChunk = z.output<typeof chatChunkSchema>;
