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
    } | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number };
}

/** @throws ProviderError: also where the server cannot. */
export async function scoreAnswer(server: OpenAiServer, request: ScoreRequest): Promise<AnswerToken[]> {
  const { model, messages, answer, top, signal } = request;
  const prompt = await rendered(server, { model, messages }, signal);
  const ask = (text: string, more: object) =>
    server.json<WireCompletion>(
      'probabilities',
      'completions',
      { model, prompt: text, max_tokens: 0, temperature: 0, ...more },
      signal,
    );
  // Counted, not measured in characters: white space around control tokens may belong to no token.
  const { usage } = await ask(prompt, {});
  const { choices } = await ask(prompt + answer, { echo: true, logprobs: top });
  const told = choices?.[0]?.logprobs;
  if (!told || !usage) throw new ProviderError('This server tells no probabilities of a given text.');
  return told.tokens.slice(usage.prompt_tokens).map((token, i): AnswerToken => {
    const at = usage.prompt_tokens + i;
    return { token, logprob: told.token_logprobs[at] ?? 0, top: likeliest(told.top_logprobs?.[at] ?? {}) };
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
