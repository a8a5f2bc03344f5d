/** How an answer is made, on the command line: the options that all commands which generate share. */
import type { Command } from 'commander';
import { usageError } from '../core/index.ts';
import { checkSampling, type GenerationOptions, GREEDY, type NumberOption } from '../generate/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import type { EngineNeeds } from './engine.ts';
import { trainedContext } from './gguf.ts';
import { collect, parseWhole } from './option-values.ts';

/** Positions where the model allows more: enough for an answer, and its caches are small. */
const DEFAULT_CONTEXT = 4096;
const MAX_CONTEXT = 2 ** 24;

interface Parameter {
  readonly value: string;
  readonly help: string;
  /** Its name in the library; `maxTokens` is not about sampling. */
  readonly field: NumberOption | 'maxTokens';
}

/** What can be set, by the name of its option; the names are those of chat files, too. */
export const PARAMETERS = {
  tokens: {
    value: '<n>',
    field: 'maxTokens',
    help: 'tokens at most (default: until the model ends, or the context)',
  },
  temperature: { value: '<x>', field: 'temperature', help: '0: always the most likely token' },
  'top-k': { value: '<n>', field: 'topK', help: 'only so many of the most likely tokens; 0: all' },
  'top-p': { value: '<x>', field: 'topP', help: 'only the most likely tokens with this share together' },
  'min-p': {
    value: '<x>',
    field: 'minP',
    help: 'only tokens this many times as likely as the most likely',
  },
  'typical-p': { value: '<x>', field: 'typicalP', help: 'only the least surprising tokens with this share' },
  'top-n-sigma': {
    value: '<x>',
    field: 'topNSigma',
    help: 'only tokens so many standard deviations of the logits below the most likely; 0: all',
  },
  'xtc-probability': {
    value: '<x>',
    field: 'xtcProbability',
    help: 'how often the likeliest tokens but one are taken away (XTC); 0: never',
  },
  'xtc-threshold': { value: '<x>', field: 'xtcThreshold', help: 'what XTC calls likely' },
  'mirostat-tau': {
    value: '<x>',
    field: 'mirostatTau',
    help: 'bits of surprise that Mirostat 2 aims at, in place of the filters; 0: off',
  },
  'mirostat-eta': { value: '<x>', field: 'mirostatEta', help: 'how fast Mirostat follows' },
  'dry-multiplier': {
    value: '<x>',
    field: 'dryMultiplier',
    help: 'DRY: less for tokens that go on a sequence which stood there before; 0: off',
  },
  'dry-base': { value: '<x>', field: 'dryBase', help: 'DRY: times this for each token of it more' },
  'dry-allowed-length': { value: '<n>', field: 'dryAllowedLength', help: 'DRY: tokens from which it counts' },
  'dry-range': { value: '<n>', field: 'dryRange', help: 'DRY: only the last so many tokens; 0: all' },
  'repetition-penalty': {
    value: '<x>',
    field: 'repetitionPenalty',
    help: 'divides the logits of tokens that were seen',
  },
  'presence-penalty': {
    value: '<x>',
    field: 'presencePenalty',
    help: 'less for tokens that were generated',
  },
  'frequency-penalty': { value: '<x>', field: 'frequencyPenalty', help: 'the same, times how often' },
  seed: {
    value: '<n>',
    field: 'seed',
    help: 'of the random numbers (default: another one every time)',
  },
} as const satisfies Record<string, Parameter>;

export type ParameterName = keyof typeof PARAMETERS;

export const PARAMETER_NAMES = Object.keys(PARAMETERS) as ParameterName[];

/** Values by name; what is left out is as in `GREEDY`. */
export type Parameters = Readonly<Partial<Record<ParameterName, number>>>;

/** What the options become. */
export type GenerationFlags = {
  readonly ctxSize?: string;
  readonly stop: string[];
} & Readonly<Partial<Record<'tokens' | (typeof PARAMETERS)[ParameterName]['field'], string>>>;

/** @param defaults what is not left as in `GREEDY`. */
export function addGenerationOptions(command: Command, defaults: Parameters = {}): Command {
  command.option(
    '-c, --ctx-size <n>',
    `positions (default: ${DEFAULT_CONTEXT}, or what the model was trained for)`,
  );
  for (const name of PARAMETER_NAMES) {
    const { value, help, field } = PARAMETERS[name];
    const standard = defaults[name] ?? (field === 'maxTokens' ? undefined : GREEDY[field]);
    const flags = `${name === 'tokens' ? '-n, ' : ''}--${name} ${value}`;
    command.option(flags, help, standard === undefined ? undefined : String(standard));
  }
  return command.option('--stop <text>', 'ends the answer; repeatable', collect, []);
}

/** @throws usage error: a name that is none, or a value out of range. */
export function checkParameter(name: string, value: number): ParameterName {
  const known = PARAMETER_NAMES.find((one) => one === name);
  if (!known) throw usageError(`${name} is no parameter: known are ${PARAMETER_NAMES.join(', ')}`);
  if (known === 'tokens') parseWhole('tokens', String(value), 0, MAX_CONTEXT);
  else checkSampling({ ...GREEDY, [PARAMETERS[known].field]: value });
  return known;
}

/** @throws usage error: no number, or out of range. @param label of the message. */
export function parseParameter(name: string, text: string, label = name): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw usageError(`${label}: ${JSON.stringify(text)} is not a number`);
  checkParameter(name, value);
  return value;
}

/** @throws usage error: the option, what was found, what is allowed. */
export function parametersOf(flags: GenerationFlags): Parameters {
  const given = PARAMETER_NAMES.flatMap((name) => {
    const { field } = PARAMETERS[name];
    const text = flags[field === 'maxTokens' ? 'tokens' : field];
    return text === undefined ? [] : [[name, parseParameter(name, text, `--${name}`)] as const];
  });
  return Object.fromEntries(given);
}

export function generationOptions(parameters: Parameters): GenerationOptions {
  const given = PARAMETER_NAMES.flatMap((name) => {
    const value = parameters[name];
    return value === undefined ? [] : [[PARAMETERS[name].field, value] as const];
  });
  return Object.fromEntries(given);
}

/** The engine for answers with these options. */
export function generationNeeds({ ctxSize }: GenerationFlags): (file: GgufFile) => EngineNeeds {
  const asked = ctxSize === undefined ? undefined : parseWhole('-c', ctxSize, 1, MAX_CONTEXT);
  return (file) => ({
    contextSize: asked ?? Math.min(DEFAULT_CONTEXT, trainedContext(file) ?? DEFAULT_CONTEXT),
    relaxed: true,
  });
}
