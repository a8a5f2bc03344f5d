/**
 * A provider that says what it is told, for tests: pieces, an end or a failure. A piece may be a promise, which holds
 * the answer until the test lets it go on.
 */
import type { AnswerEnd, ChatRequest, Delta, ModelInfo, Provider, ProviderError } from '../provider.ts';

export interface Script {
  readonly pieces: readonly (string | Promise<string>)[];
  readonly end?: Partial<AnswerEnd>;
  /** Thrown after the pieces. */
  readonly failure?: ProviderError;
}

export interface ScriptedProvider extends Provider {
  /** What was asked, in order. */
  readonly requests: readonly ChatRequest[];
}

/** @param scripts one an answer, in order; after the last one all answers are `ok`. */
export function scriptedProvider(
  scripts: readonly Script[],
  models: readonly ModelInfo[] = [{ id: 'tiny' }],
): ScriptedProvider {
  const requests: ChatRequest[] = [];
  return {
    name: 'scripted',
    requests,
    models: async () => models,
    chat: (request) => {
      requests.push(request);
      return play(scripts[requests.length - 1] ?? { pieces: ['ok'] }, request.signal);
    },
    embed: async (_model, texts) => texts.map((text) => letterVector(text)),
  };
}

async function* play(
  { pieces, end, failure }: Script,
  signal: AbortSignal,
): AsyncGenerator<Delta, AnswerEnd> {
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined));
  });
  let said = 0;
  for (const piece of pieces) {
    const text = await Promise.race([piece, aborted]);
    if (text === undefined || signal.aborted) {
      return { reason: 'aborted', promptTokens: 7, completionTokens: said };
    }
    said++;
    yield { text };
  }
  if (failure) throw failure;
  return { reason: 'stop', promptTokens: 7, completionTokens: said, ...end };
}

/** How often each letter occurs, of unit length: alike texts have alike vectors. */
function letterVector(text: string): Float32Array {
  const counts = new Float32Array(26);
  for (const letter of text.toLowerCase()) {
    const index = letter.charCodeAt(0) - 97;
    if (index >= 0 && index < 26) counts[index] += 1;
  }
  const length = Math.hypot(...counts) || 1;
  return counts.map((count) => count / length);
}
