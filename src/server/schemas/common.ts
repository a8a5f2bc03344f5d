/** Pieces that several requests and responses share. */
import { z } from '@hono/zod-openapi';
import { OVERFLOW_POLICIES, SAMPLING_RANGES } from '../../generate/index.ts';

/** Stop strings of one request at most, and characters of one; OpenAI's API has four. */
const MAX_STOPS = 16;
const MAX_STOP_LENGTH = 1000;
/** As in llama.cpp, where Mirostat is asked for without a target. */
export const MIROSTAT_TAU = 5;
/** Entries of `logit_bias` at most. */
const MAX_BIASES = 1024;
/** Alternatives that are told of each token at most. */
export const MAX_TOP_LOGPROBS = 20;

export const errorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .openapi('Error');

export const usageSchema = z
  .object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int(),
    prompt_tokens_details: z.object({
      cached_tokens: z.int().openapi({ description: 'Tokens of the prompt that were held already.' }),
    }),
  })
  .openapi('Usage');
export type Usage = z.output<typeof usageSchema>;

export const modelField = z.string().optional().openapi({
  description: 'Id of the model; may be left out where only one is served.',
});

const stop = z.string().max(MAX_STOP_LENGTH);

type Ranged = keyof typeof SAMPLING_RANGES;

/** A number within the sampler's range. */
function ranged(option: Ranged, description: string) {
  const range: { least: number; most: number; whole?: boolean; above?: boolean } = SAMPLING_RANGES[option];
  const { least, most, whole = false, above = false } = range;
  const number = whole ? z.int() : z.number();
  return (above ? number.gt(least) : number.min(least)).max(most).nullish().openapi({ description });
}

/** The same for what OpenAI's API does not have. */
const beyond = (option: Ranged, description: string) => ranged(option, `Beyond OpenAI's API. ${description}`);

/** How tokens are chosen. Defaults are OpenAI's; what is beyond its API is off by default. */
export const samplingFields = {
  temperature: ranged('temperature', '0: always the likeliest. Default 1.'),
  top_p: ranged('topP', 'Only the likeliest tokens with this share of the probability. Default 1: all.'),
  presence_penalty: ranged('presencePenalty', 'Subtracted from the logits of tokens that came before.'),
  frequency_penalty: ranged('frequencyPenalty', 'The same, times how often.'),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, 'not the id of a token'), z.number().min(-100).max(100))
    .refine((biases) => Object.keys(biases).length <= MAX_BIASES, `more than ${MAX_BIASES} entries`)
    .nullish()
    .openapi({ description: 'Added to the logits of tokens, by id.' }),
  seed: z.int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER).nullish(),
  stop: z
    .union([stop, z.array(stop).max(MAX_STOPS)])
    .nullish()
    .openapi({ description: `Texts that end the answer, ${MAX_STOPS} at most; they are left out.` }),
  top_k: beyond('topK', 'Only so many of the likeliest tokens; 0: all.'),
  min_p: beyond('minP', 'Only tokens at least this many times as likely as the likeliest.'),
  typical_p: beyond('typicalP', 'Only tokens of the expected surprise, with this share; 1: all.'),
  top_n_sigma: beyond(
    'topNSigma',
    'Only tokens so many standard deviations below the largest logit; 0: all.',
  ),
  xtc_probability: beyond('xtcProbability', 'How often the likeliest tokens but the last are taken away.'),
  xtc_threshold: beyond('xtcThreshold', 'What XTC calls likely. Default 0.1.'),
  mirostat: z
    .union([z.literal(0), z.literal(2)], { error: 'is neither 0 (off) nor 2 (Mirostat 2)' })
    .nullish()
    .openapi({ description: "Beyond OpenAI's API. 2: Mirostat 2 in place of all filters. Default 0." }),
  mirostat_tau: beyond('mirostatTau', `Bits of surprise that it aims at. Default ${MIROSTAT_TAU}.`),
  mirostat_eta: beyond('mirostatEta', 'How fast it follows. Default 0.1.'),
  dry_multiplier: beyond('dryMultiplier', 'What a token loses that goes on a repetition; 0: nothing.'),
  dry_base: beyond('dryBase', 'Times this for each token more. Default 1.75.'),
  dry_allowed_length: beyond('dryAllowedLength', 'Tokens from which a repetition counts. Default 2.'),
  dry_penalty_last_n: beyond('dryRange', 'Only so many of the last tokens are looked at; 0: all.'),
  dry_sequence_breakers: z
    .array(z.string().min(1).max(MAX_STOP_LENGTH))
    .max(MAX_STOPS)
    .nullish()
    .openapi({ description: "Beyond OpenAI's API. Texts that no repetition goes across." }),
  repetition_penalty: beyond('repetitionPenalty', 'Divides the logits of tokens that were seen; 1: none.'),
} as const;

/** What requests for text share beside sampling. */
export const answerFields = {
  model: modelField,
  ...samplingFields,
  n: z.int().min(1).nullish().openapi({ description: 'Answers. Default 1.' }),
  stream: z.boolean().nullish(),
  stream_options: z
    .object({ include_usage: z.boolean().nullish() })
    .nullish()
    .openapi({ description: 'With `include_usage` a last chunk tells the usage.' }),
  user: z.string().max(512).nullish().openapi({
    description: 'For whom: requests of different users take turns in the queue.',
  }),
  grammar: z.string().nullish().openapi({
    description: "Beyond OpenAI's API. A grammar in GBNF that the answer follows.",
  }),
} as const;

export const overflowField = z
  .enum(OVERFLOW_POLICIES)
  .nullish()
  .openapi({
    description:
      "Beyond OpenAI's API. A chat that is longer than the context is an `error` (default), or loses its oldest turns " +
      '(`shift`) or the beginning of its longest message (`truncate`).',
  });

export type SamplingRequest = z.output<z.ZodObject<typeof samplingFields>>;
export type AnswerRequest = z.output<z.ZodObject<typeof answerFields>>;
