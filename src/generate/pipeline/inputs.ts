/** What a pipeline is given: a text or a chat, one or several, told apart as transformers.js does it. */
import { usageError } from '../../core/index.ts';
import { ChatTemplate, type RenderOptions } from '../../text/index.ts';
import { fitChat, OVERFLOW_POLICIES, type OverflowPolicy } from '../overflow.ts';
import type { ModelService } from '../serving/index.ts';
import { answerLength, type CheckedOptions } from './options.ts';
import type { Chat, TextGenerationInput } from './types.ts';

export type Prompt = string | Chat;

export interface Inputs {
  readonly prompts: readonly Prompt[];
  /** Whether a list was given, so that a list of lists comes back. */
  readonly batched: boolean;
}

function isMessage(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'role' in value && typeof value.role === 'string';
}

function isChat(value: unknown): value is Chat {
  return Array.isArray(value) && value.length > 0 && value.every(isMessage);
}

/** @throws usage error: neither text nor chat, nor a list of the one or the other. */
export function readInputs(input: TextGenerationInput): Inputs {
  if (typeof input === 'string' || isChat(input)) return { prompts: [input], batched: false };
  const given: unknown = input;
  if (Array.isArray(given)) {
    const texts = given.every((one) => typeof one === 'string');
    if (texts || given.every(isChat)) return { prompts: given as Prompt[], batched: true };
  }
  throw usageError(
    'the input is neither text nor chat',
    'expected a string, a list of messages { role, content }, or a list of either',
  );
}

function variablesOf({ tools, documents, tokenizer_encode_kwargs }: CheckedOptions): RenderOptions {
  const variables = {
    ...(tools === undefined ? {} : { tools }),
    ...(documents === undefined ? {} : { documents }),
    ...tokenizer_encode_kwargs,
  };
  return { generationPrompt: true, variables };
}

function policyOf({ on_overflow = 'error' }: CheckedOptions): OverflowPolicy {
  const policy = OVERFLOW_POLICIES.find((one) => one === on_overflow);
  if (policy !== undefined) return policy;
  throw usageError(`on_overflow: ${on_overflow} is none of ${OVERFLOW_POLICIES.join(', ')}`);
}

function templateOf({ template, tokenizer }: ModelService, { chat_template }: CheckedOptions): ChatTemplate {
  if (chat_template !== undefined) return new ChatTemplate(chat_template, tokenizer, 'option chat_template');
  if (template !== undefined) return template;
  throw usageError(
    'the model has no chat template',
    'give a text instead of a chat, or the option chat_template',
  );
}

/**
 * The ids of a prompt.
 * @throws input error: the template refuses the messages; resources error: they do not fit the context.
 */
export function promptIds(service: ModelService, prompt: Prompt, options: CheckedOptions): Int32Array {
  if (typeof prompt === 'string') {
    const { add_special_tokens: bos = true, split_special_tokens: asText = true } = options;
    return service.tokenizer.encode(prompt, { bos, special: !asText });
  }
  const template = templateOf(service, options);
  const render = variablesOf(options);
  const policy = policyOf(options);
  const { contextSize } = service;
  const maxTokens = answerLength(options, 0);
  return fitChat(prompt, (messages) => template.encode(messages, render), { policy, contextSize, maxTokens })
    .ids;
}
