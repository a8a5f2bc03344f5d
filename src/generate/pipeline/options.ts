/** Options of a text generation, from transformers.js's names and defaults to ours. */
import { BitmillError, usageError } from '../../core/index.ts';
import type { GenerationOptions } from '../generation.ts';
import { checkSampling, GREEDY, type SamplingOptions } from '../sampling/index.ts';
import { checkNames } from './names.ts';
import type { TextGenerationOptions } from './types.ts';

/** What a value must be, in words and as a question. */
const KINDS = {
  number: ['a number', (value) => typeof value === 'number' && !Number.isNaN(value)],
  count: ['a whole number from 0', (value) => Number.isSafeInteger(value) && Number(value) >= 0],
  positive: ['a whole number from 1', (value) => Number.isSafeInteger(value) && Number(value) >= 1],
  boolean: ['true or false', (value) => typeof value === 'boolean'],
  text: ['a text', (value) => typeof value === 'string'],
  texts: ['a text or a list of texts', (value) => [value].flat().every((one) => typeof one === 'string')],
  ids: ['a token id or a list of them', (value) => [value].flat().every((one) => Number.isSafeInteger(one))],
  list: ['a list', (value) => Array.isArray(value)],
  object: ['an object', (value) => typeof value === 'object'],
  streamer: ['an object with put and end', (value) => isStreamer(value)],
  signal: ['an AbortSignal', (value) => value instanceof AbortSignal],
} as const satisfies Record<string, readonly [string, (value: unknown) => boolean]>;

function isStreamer(value: unknown): boolean {
  const { put, end } = Object(value) as { put?: unknown; end?: unknown };
  return typeof put === 'function' && typeof end === 'function';
}

const OPTIONS = {
  max_new_tokens: 'count',
  max_length: 'count',
  do_sample: 'boolean',
  temperature: 'number',
  top_k: 'number',
  top_p: 'number',
  min_p: 'number',
  typical_p: 'number',
  repetition_penalty: 'number',
  presence_penalty: 'number',
  frequency_penalty: 'number',
  seed: 'count',
  stop: 'texts',
  stop_strings: 'texts',
  stop_token_ids: 'ids',
  eos_token_id: 'ids',
  suppress_tokens: 'ids',
  logit_bias: 'object',
  logprobs: 'boolean',
  top_logprobs: 'count',
  num_return_sequences: 'positive',
  return_full_text: 'boolean',
  streamer: 'streamer',
  signal: 'signal',
  response_format: 'object',
  add_special_tokens: 'boolean',
  split_special_tokens: 'boolean',
  on_overflow: 'text',
  tools: 'list',
  documents: 'list',
  tokenizer_encode_kwargs: 'object',
  chat_template: 'text',
} as const satisfies Record<keyof TextGenerationOptions, keyof typeof KINDS>;

/** Options of transformers that are not there: the one value with which they do nothing is taken. */
const NEUTRAL = new Map<string, unknown>([
  ['min_length', 0],
  ['min_new_tokens', 0],
  ['early_stopping', false],
  ['num_beams', 1],
  ['num_beam_groups', 1],
  ['use_cache', true],
  ['epsilon_cutoff', 0],
  ['eta_cutoff', 0],
  ['diversity_penalty', 0],
  ['encoder_repetition_penalty', 1],
  ['length_penalty', 1],
  ['no_repeat_ngram_size', 0],
  ['renormalize_logits', false],
  ['remove_invalid_values', false],
  ['output_attentions', false],
  ['output_hidden_states', false],
  ['output_scores', false],
  ['return_dict_in_generate', false],
  ['padding', true],
  ['truncation', false],
]);

const UNTIL_SIGNAL = 'use signal: AbortSignal.timeout(milliseconds)';
/** What to use in the place of an option that is not there. */
const INSTEAD = new Map([['max_time', UNTIL_SIGNAL]]);

/** Ours of the options that have a range. */
const RANGED = {
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  min_p: 'minP',
  typical_p: 'typicalP',
  repetition_penalty: 'repetitionPenalty',
  presence_penalty: 'presencePenalty',
  frequency_penalty: 'frequencyPenalty',
} as const satisfies Partial<Record<keyof TextGenerationOptions, keyof SamplingOptions>>;

const NAMES = Object.keys(OPTIONS) as (keyof typeof OPTIONS)[];

/** Tokens of an answer at most, as in transformers.js. */
const DEFAULT_NEW_TOKENS = 256;
/** Where tokens are drawn, as in transformers.js. */
const DEFAULT_TEMPERATURE = 1;
const DEFAULT_TOP_K = 50;

/** Without what is undefined or null, and with every value of its kind. */
export type CheckedOptions = {
  readonly [Name in keyof TextGenerationOptions]?: NonNullable<TextGenerationOptions[Name]>;
};

/** @throws usage error: an option that is none, with the one that is near, or a value that is not of its kind. */
export function checkOptions(given: TextGenerationOptions): CheckedOptions {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined && value !== null);
  const ours = entries.filter(([name, value]) => {
    if (!NEUTRAL.has(name)) return true;
    if (value === NEUTRAL.get(name)) return false;
    throw usageError(`${name}: ${String(value)} is not supported; ${String(NEUTRAL.get(name))} is`);
  });
  for (const [name] of ours) {
    const instead = INSTEAD.get(name);
    if (instead) throw usageError(`${name} is not supported`, instead);
  }
  const checked = Object.fromEntries(ours);
  checkNames(checked, NAMES, 'option of text-generation');
  for (const name of NAMES.filter((one) => one in checked)) {
    const [words, fits] = KINDS[OPTIONS[name]];
    if (!fits(checked[name])) throw usageError(`${name}: ${shown(checked[name])} is not ${words}`);
  }
  checkRanges(checked);
  return checked;
}

/** @throws usage error: as `checkSampling`, under the caller's name of the option. */
function checkRanges(options: CheckedOptions): void {
  for (const [name, ours] of Object.entries(RANGED) as [keyof typeof RANGED, keyof SamplingOptions][]) {
    try {
      checkSampling({ ...GREEDY, ...defined({ [ours]: options[name] }) });
    } catch (error) {
      if (error instanceof BitmillError) throw usageError(error.message.replace(ours, name));
      throw error;
    }
  }
}

function shown(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : `${String(value)} (${typeof value})`;
}

/** What matters only where tokens are drawn. */
function drawing(options: CheckedOptions): Partial<SamplingOptions> {
  if (!options.do_sample) return { temperature: 0 };
  const { temperature = DEFAULT_TEMPERATURE, top_k = DEFAULT_TOP_K, top_p, min_p, typical_p } = options;
  return { temperature, topK: top_k, ...defined({ topP: top_p, minP: min_p, typicalP: typical_p }) };
}

type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** @throws usage error: an id that is no number. */
function biases({ logit_bias, suppress_tokens = [] }: CheckedOptions): ReadonlyMap<number, number> {
  const given = logit_bias instanceof Map ? [...logit_bias] : Object.entries(logit_bias ?? {});
  const all = new Map<number, number>();
  for (const [key, bias] of given as [unknown, unknown][]) {
    const id = Number(key);
    if (!Number.isSafeInteger(id) || id < 0) throw usageError(`logit_bias: ${String(key)} is no token id`);
    if (typeof bias !== 'number')
      throw usageError(`logit_bias of token ${id}: ${shown(bias)} is not a number`);
    all.set(id, bias);
  }
  for (const id of suppress_tokens) all.set(id, Number.NEGATIVE_INFINITY);
  return all;
}

/** Tokens of an answer at most, to a prompt of so many tokens. */
export function answerLength({ max_new_tokens, max_length }: CheckedOptions, promptTokens: number): number {
  if (max_new_tokens !== undefined) return max_new_tokens;
  return max_length === undefined ? DEFAULT_NEW_TOKENS : Math.max(0, max_length - promptTokens);
}

/**
 * The options of `generate`, but for `maxTokens`, which depends on the prompt, and the constraint.
 * @param index of the answer among those to one prompt: each draws other random numbers.
 */
export function generationOptions(options: CheckedOptions, index = 0): GenerationOptions {
  const { repetition_penalty, presence_penalty, frequency_penalty, seed, eos_token_id = [] } = options;
  const stop = [options.stop ?? [], options.stop_strings ?? []].flat();
  return {
    ...drawing(options),
    ...defined({
      repetitionPenalty: repetition_penalty,
      presencePenalty: presence_penalty,
      frequencyPenalty: frequency_penalty,
      seed: seed === undefined ? undefined : seed + index,
    }),
    ...(options.logprobs ? { logprobs: options.top_logprobs ?? 0 } : {}),
    logitBias: biases(options),
    stop,
    stopTokens: [...(options.stop_token_ids ?? []), ...[eos_token_id].flat()],
  };
}
