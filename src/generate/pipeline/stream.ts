/** An answer as it comes, with a promise of how it ended. */
import type { AnswerEnd } from '../conversation.ts';
import type { ModelService, RequestOptions } from '../serving/index.ts';
import type { StreamedToken, TextGenerationEnd, TextGenerationStream } from './types.ts';

function endOf(text: string, { reason, tokens, promptTokens, reusedTokens }: AnswerEnd): TextGenerationEnd {
  return {
    generated_text: text,
    finish_reason: reason,
    usage: { prompt_tokens: promptTokens, cached_tokens: reusedTokens, completion_tokens: tokens },
  };
}

/** @param settle hears the end, or what went wrong. */
async function* pieces(
  service: ModelService,
  ids: Int32Array,
  request: RequestOptions,
  settle: { readonly resolve: (end: TextGenerationEnd) => void; readonly reject: (error: unknown) => void },
): AsyncGenerator<StreamedToken, TextGenerationEnd, undefined> {
  const answer = service.answer(ids, request);
  const texts: string[] = [];
  // Until the answer says otherwise: it was left early.
  let end: AnswerEnd = { reason: 'aborted', tokens: 0, text: '', promptTokens: ids.length, reusedTokens: 0 };
  try {
    for (;;) {
      const { value, done } = await answer.next();
      texts.push(value.text);
      if (done) {
        end = value;
        break;
      }
      end = { ...end, tokens: end.tokens + 1 };
      yield value;
    }
    if (end.text !== '') yield { text: end.text };
    return endOf(texts.join(''), end);
  } catch (error) {
    settle.reject(error);
    throw error;
  } finally {
    await answer.return(end);
    settle.resolve(endOf(texts.join(''), end));
  }
}

/** @param request of the service; its signal ends the answer where it is. */
export function tokenStream(
  service: ModelService,
  ids: Int32Array,
  request: RequestOptions,
): TextGenerationStream {
  let settle: Parameters<typeof pieces>[3] | undefined;
  const result = new Promise<TextGenerationEnd>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Whoever reads the stream hears of errors there; nobody has to look at both.
  result.catch(() => {});
  if (!settle) throw new Error('a promise calls its executor at once');
  return Object.assign(pieces(service, ids, request, settle), { result });
}
