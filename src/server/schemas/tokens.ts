/** POST /tokenize, /detokenize and /apply-template; names and shapes near those of llama.cpp's server. */
import { z } from '@hono/zod-openapi';
import { promptFields } from './chat-request.ts';
import { modelField } from './common.ts';

export const tokenizeRequestSchema = z
  .object({
    model: modelField,
    content: z.string(),
    add_special: z.boolean().nullish().openapi({
      description: 'What the vocabulary puts around a text (BOS, EOS). Default false.',
    }),
    parse_special: z.boolean().nullish().openapi({
      description: 'Texts of control tokens are read as those tokens. Default true.',
    }),
    with_pieces: z.boolean().nullish().openapi({ description: 'Each token with its text. Default false.' }),
  })
  .openapi('TokenizeRequest');

const piece = z.object({
  id: z.int(),
  piece: z.union([z.string(), z.array(z.int())]).openapi({
    description: 'Its text, or its bytes where they are no text by themselves.',
  }),
});

export const tokensSchema = z
  .object({ tokens: z.union([z.array(z.int()), z.array(piece)]) })
  .openapi('Tokens');

export const detokenizeRequestSchema = z
  .object({ model: modelField, tokens: z.array(z.int().min(0)) })
  .openapi('DetokenizeRequest');

export const contentSchema = z.object({ content: z.string() }).openapi('Content');

export const templateRequestSchema = z
  .object({
    model: modelField,
    ...promptFields,
    add_generation_prompt: z.boolean().nullish().openapi({
      description: "Ends with what opens the assistant's turn. Default true.",
    }),
  })
  .openapi('ApplyTemplateRequest');

export const promptSchema = z.object({ prompt: z.string() }).openapi('Prompt');
