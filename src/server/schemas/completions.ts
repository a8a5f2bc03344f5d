/** POST /v1/completions: the older API, plain text in and out. */
import { z } from '@hono/zod-openapi';
import { answerFields, MAX_TOP_LOGPROBS, usageSchema } from './common.ts';

/** Prompts of one request at most, and inputs of one request for embeddings. */
const MAX_INPUTS = 2048;

const ids = z.array(z.int().min(0)).min(1);

/** A text, its ids, or a list of either. */
export const textsField = z.union(
  [z.string(), z.array(z.string()).min(1).max(MAX_INPUTS), ids, z.array(ids).min(1).max(MAX_INPUTS)],
  { error: `is not a text, its ids, or a list of at most ${MAX_INPUTS} of either` },
);
export type Texts = z.output<typeof textsField>;

export const completionRequestSchema = z
  .object({
    prompt: textsField.openapi({
      description: 'A text, its ids, or a list of either. Texts of control tokens are read as those tokens.',
    }),
    ...answerFields,
    max_tokens: z.int().min(0).nullish(),
    echo: z.boolean().nullish().openapi({
      description: 'The prompt is put in front of the answer, with `logprobs` those of its tokens, too.',
    }),
    logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).nullish(),
    suffix: z.literal('', { error: 'is not supported: these models only go on' }).nullish(),
    best_of: z.int().nullish().openapi({ description: 'Not more than `n`.' }),
  })
  .openapi('CompletionRequest');
export type CompletionRequest = z.output<typeof completionRequestSchema>;

const logprobsSchema = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z
    .array(z.number().nullable())
    .openapi({ description: 'Null: the first token of a prompt, which nothing stands before.' }),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
  text_offset: z
    .array(z.int())
    .openapi({ description: 'Where each token begins, in characters of the answer.' }),
});
export type CompletionLogprobs = z.output<typeof logprobsSchema>;

const choice = {
  text: z.string(),
  index: z.int(),
  logprobs: logprobsSchema.nullable(),
};
const finish = z.enum(['stop', 'length', 'content_filter']);
const head = {
  id: z.string(),
  object: z.literal('text_completion'),
  created: z.int(),
  model: z.string(),
};

export const completionSchema = z
  .object({
    ...head,
    choices: z.array(z.object({ ...choice, finish_reason: finish })),
    usage: usageSchema,
  })
  .openapi('Completion');
export type Completion = z.output<typeof completionSchema>;

export const completionChunkSchema = z
  .object({
    ...head,
    choices: z.array(z.object({ ...choice, finish_reason: finish.nullable() })),
    usage: z.union([usageSchema, z.null()]).optional(),
  })
  .openapi('CompletionChunk');
export type CompletionChunk = z.output<typeof completionChunkSchema>;
