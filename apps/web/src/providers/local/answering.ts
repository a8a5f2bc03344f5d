/** A request of the page as one of bitmill, and what comes of it in the page's shape. */
import type {
  GeneratedToken,
  ModelService,
  RequestOptions,
  TokenLogprob,
} from '../../../../../src/generate/index.ts';
import type { Tokenizer } from '../../../../../src/text/index.ts';
import type { AnswerEnd, AnswerToken, ChatRequest, Delta, Parameters } from '../../provider.ts';

const lenient = new TextDecoder();

/** The text of a token; of one that is part of a character its bytes. */
function textOf(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.piece(id);
  const text = lenient.decode(bytes);
  if (!text.includes('\ufffd')) return text;
  return Array.from(bytes, (byte) => `<${byte.toString(16).toUpperCase().padStart(2, '0')}>`).join('');
}

export function answerToken(
  tokenizer: Tokenizer,
  { id, logprob }: TokenLogprob,
  top: readonly TokenLogprob[],
): AnswerToken {
  return {
    token: textOf(tokenizer, id),
    logprob,
    top: top.map((one) => ({ token: textOf(tokenizer, one.id), logprob: one.logprob })),
  };
}

/** With the API's defaults. */
function optionsOf(parameters: Parameters): Omit<RequestOptions, 'signal'> {
  const { temperature = 1, top_p = 1, top_k = 0, min_p = 0, seed, stop, max_tokens } = parameters;
  return {
    temperature,
    topP: top_p,
    topK: top_k,
    minP: min_p,
    repetitionPenalty: parameters.repetition_penalty ?? 1,
    presencePenalty: parameters.presence_penalty ?? 0,
    frequencyPenalty: parameters.frequency_penalty ?? 0,
    ...(seed === undefined ? {} : { seed }),
    ...(stop === undefined ? {} : { stop }),
    ...(max_tokens === undefined ? {} : { maxTokens: max_tokens }),
  };
}

/** Reasons of bitmill as those of the API: a full context is a limit, too. */
const REASONS = { stop: 'stop', length: 'length', context: 'length', aborted: 'aborted' } as const;

/** Resolves after messages that wait were delivered: a model on the worker's own thread would never hear of an abort. */
function breath(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Ids of a conversation up to where the answer begins. @throws Error: no template, or it refuses. */
export function promptOf(service: ModelService, messages: ChatRequest['messages']): Int32Array {
  if (!service.template) throw new Error('This model has no chat template: it cannot chat.');
  return service.template.encode(
    messages.map((message) => ({ ...message })),
    { generationPrompt: true },
  );
}

export async function* answer(
  service: ModelService,
  { messages, parameters, logprobs }: Omit<ChatRequest, 'signal'>,
  signal: AbortSignal,
): AsyncGenerator<Delta, AnswerEnd> {
  const { tokenizer } = service;
  const told = (token: GeneratedToken): Pick<Delta, 'tokens'> => {
    if (logprobs === undefined || token.logprob === undefined) return {};
    return { tokens: [answerToken(tokenizer, { id: token.id, logprob: token.logprob }, token.top ?? [])] };
  };
  const generation = service.answer(promptOf(service, messages), {
    ...optionsOf(parameters),
    ...(logprobs === undefined ? {} : { logprobs }),
    signal,
    onPrompt: breath,
  });
  for (;;) {
    const { done, value } = await generation.next();
    if (done) {
      if (value.text !== '') yield { text: value.text };
      const { reason, promptTokens, tokens } = value;
      return { reason: REASONS[reason], promptTokens, completionTokens: tokens };
    }
    const tokens = told(value);
    if (value.text !== '' || tokens.tokens) yield { text: value.text, ...tokens };
    await breath();
  }
}
