/** POST /v1/embeddings. */
import { z } from '@hono/zod-openapi';
import { POOLINGS } from '../../generate/index.ts';
import { modelField } from './common.ts';
import { textsField } from './completions.ts';

export const embeddingRequestSchema = z
  .object({
    model: modelField,
    input: textsField.openapi({ description: 'A text, its ids, or a list of either.' }),
    encoding_format: z.enum(['float', 'base64']).nullish().openapi({
      description: '`base64`: the numbers as f32, little-endian. Default `float`.',
    }),
    dimensions: z.int().min(1).nullish().openapi({ description: 'Nothing but the width of the model.' }),
    pooling: z.enum(POOLINGS).nullish().openapi({
      description: "Beyond OpenAI's API. How the states of all tokens become one vector.",
    }),
    user: z.string().max(512).nullish(),
  })
  .openapi('EmbeddingRequest');
export type EmbeddingRequest = z.output<typeof embeddingRequestSchema>;

export const embeddingListSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]).openapi({ description: 'Of unit length.' }),
      }),
    ),
    model: z.string(),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .openapi('EmbeddingList');
export type EmbeddingList = z.output<typeof embeddingListSchema>;
