/** GET /v1/models. */
import { z } from '@hono/zod-openapi';

export const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int().openapi({ description: 'Seconds since 1970; of the file.' }),
    owned_by: z.string(),
    context_size: z.int().openapi({ description: 'Tokens of prompt and answer together at most.' }),
    embedding_size: z.int().openapi({ description: 'Width of an embedding.' }),
    vocabulary_size: z.int(),
    chat: z.boolean().openapi({ description: 'Whether the file has a chat template.' }),
    file_type: z.string().optional().openapi({ description: 'Quantization, such as `Q4_K_M`.' }),
    size: z.int().optional().openapi({ description: 'Bytes of the file.' }),
  })
  .openapi('Model');
export type ModelCard = z.output<typeof modelSchema>;

export const modelListSchema = z
  .object({ object: z.literal('list'), data: z.array(modelSchema) })
  .openapi('ModelList');
