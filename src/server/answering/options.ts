/** Fields of a request as the options of an answer. */
import { GREEDY, type RequestOptions, type SamplingOptions } from '../../generate/index.ts';
import { invalid } from '../errors.ts';
import { type AnswerRequest, MIROSTAT_TAU, type SamplingRequest } from '../schemas/common.ts';
import type { ServerSettings } from '../settings.ts';

type SamplingBase = Omit<SamplingOptions, 'seed'>;

/** Ids that the vocabulary has. @throws 400 */
function biases(given: SamplingRequest['logit_bias'], vocabularySize: number): Map<number, number> {
  const entries = Object.entries(given ?? {}).map(([id, bias]): [number, number] => [Number(id), bias]);
  const unknown = entries.find(([id]) => id >= vocabularySize);
  if (unknown) throw invalid('logit_bias', `token ${unknown[0]} does not exist; there are ${vocabularySize}`);
  return new Map(entries);
}

/** With OpenAI's defaults. */
export function samplingOf(request: SamplingRequest, vocabularySize: number): SamplingBase {
  return {
    temperature: request.temperature ?? 1,
    topK: request.top_k ?? GREEDY.topK,
    topP: request.top_p ?? GREEDY.topP,
    minP: request.min_p ?? GREEDY.minP,
    typicalP: request.typical_p ?? GREEDY.typicalP,
    topNSigma: request.top_n_sigma ?? GREEDY.topNSigma,
    xtcProbability: request.xtc_probability ?? GREEDY.xtcProbability,
    xtcThreshold: request.xtc_threshold ?? GREEDY.xtcThreshold,
    mirostatTau: request.mirostat ? (request.mirostat_tau ?? MIROSTAT_TAU) : GREEDY.mirostatTau,
    mirostatEta: request.mirostat_eta ?? GREEDY.mirostatEta,
    dryMultiplier: request.dry_multiplier ?? GREEDY.dryMultiplier,
    dryBase: request.dry_base ?? GREEDY.dryBase,
    dryAllowedLength: request.dry_allowed_length ?? GREEDY.dryAllowedLength,
    dryRange: request.dry_penalty_last_n ?? GREEDY.dryRange,
    dryBreakers: request.dry_sequence_breakers ?? GREEDY.dryBreakers,
    repetitionPenalty: request.repetition_penalty ?? GREEDY.repetitionPenalty,
    presencePenalty: request.presence_penalty ?? GREEDY.presencePenalty,
    frequencyPenalty: request.frequency_penalty ?? GREEDY.frequencyPenalty,
    logitBias: biases(request.logit_bias, vocabularySize),
  };
}

/** Another one for each answer, or they would all be the same; never below zero. */
export function seedOf(seed: number | null | undefined, index: number): number | undefined {
  if (seed === null || seed === undefined) return undefined;
  const own = (seed + index) % Number.MAX_SAFE_INTEGER;
  return own < 0 ? own + Number.MAX_SAFE_INTEGER : own;
}

export function stopsOf(stop: SamplingRequest['stop']): readonly string[] {
  return typeof stop === 'string' ? [stop] : (stop ?? []);
}

/** Answers asked for. @throws 400: too many. */
export function choicesOf({ n }: AnswerRequest, { maxChoices }: ServerSettings, prompts = 1): number {
  const count = n ?? 1;
  if (count * prompts <= maxChoices) return count;
  const each = prompts === 1 ? '' : ` for each of ${prompts} prompts`;
  throw invalid('n', `${count} answers${each}; ${maxChoices} are allowed in one request`);
}

/** What all answers of a request have in common. */
export function answerOptions(
  request: AnswerRequest,
  { vocabularySize, maxTokens, settings }: AnswerLimits,
): Omit<RequestOptions, 'seed' | 'constraint'> {
  return {
    ...samplingOf(request, vocabularySize),
    stop: stopsOf(request.stop),
    maxTokens: Math.min(maxTokens ?? settings.maxTokens, settings.maxTokens),
  };
}

export interface AnswerLimits {
  readonly vocabularySize: number;
  /** As asked for. */
  readonly maxTokens: number | null | undefined;
  readonly settings: ServerSettings;
}
