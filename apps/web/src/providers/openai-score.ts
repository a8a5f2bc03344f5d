/**
 * What a model thinks of an answer that it is given. OpenAI's API has no such request; `echo` of `/v1/completions`
 * over the prompt as the model's template writes it comes to the same. bitmill's server has both.
 */
import { type AnswerToken, ProviderError, type ScoreRequest } from '../provider.ts';
import type { OpenAiServer } from './openai.ts';

interface WireCompletion {
  readonly choices?: readonly {
    readonly logprobs?: {
      readonly tokens: readonly string[];
      /** The first one has nothing before it that could foretell it. */
      readonly token_logprobs: readonly (number | null)[];
      readonly top_logprobs?: readonly (Readonly<Record<string, number>> | null)[] | null;
      /** Where each token begins, in characters of prompt and answer together. */
      readonly text_offset: readonly number[];
    } | null;
  }[];
}

/** @throws ProviderError: also where the server cannot. */
export async function scoreAnswer(server: OpenAiServer, request: ScoreRequest): Promise<AnswerToken[]> {
  const { model, messages, answer, top, signal } = request;
  const prompt = await rendered(server, { model, messages }, signal);
  const body = { model, prompt: prompt + answer, echo: true, logprobs: top, max_tokens: 0, temperature: 0 };
  const { choices } = await server.json<WireCompletion>('probabilities', 'completions', body, signal);
  const told = choices?.[0]?.logprobs;
  if (!told) throw new ProviderError('This server tells no probabilities of a given text.');
  return told.tokens.flatMap((token, i) => {
    const logprob = told.token_logprobs[i] ?? null;
    if ((told.text_offset[i] ?? 0) < prompt.length || logprob === null) return [];
    return [{ token, logprob, top: likeliest(told.top_logprobs?.[i] ?? {}) }];
  });
}

async function rendered(server: OpenAiServer, body: object, signal: AbortSignal): Promise<string> {
  try {
    const { prompt } = await server.json<{ prompt?: string }>('prompt', '../apply-template', body, signal);
    if (prompt !== undefined) return prompt;
  } catch (error) {
    if (!(error instanceof ProviderError && error.status === 404)) throw error;
  }
  throw new ProviderError('This server cannot say how likely a given text is: it has no /apply-template.');
}

function likeliest(top: Readonly<Record<string, number>>): AnswerToken['top'] {
  return Object.entries(top)
    .map(([token, logprob]) => ({ token, logprob }))
    .sort((a, b) => b.logprob - a.logprob);
}
