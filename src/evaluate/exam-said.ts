/** What a model says to a question, token by token: to look at, the marks do not need it. */
import { mostLikely, type Session } from '../generate/index.ts';
import type { Tokenizer } from '../text/index.ts';
import type { AskedQuestion } from './exam-chat.ts';

/**
 * Greedy decoding of an answer, without the token that ended it.
 * @param session an open one of the model; what it held is forgotten.
 * @param most tokens at most.
 */
export async function saidAnswer(
  session: Session,
  { prompt, answer }: AskedQuestion,
  tokenizer: Tokenizer,
  most: number,
): Promise<{ readonly tokens: Int32Array; readonly ended: boolean }> {
  const end = answer[answer.length - 1];
  const said: number[] = [];
  session.rewind(0);
  for (let logits = await session.feed(prompt); ; ) {
    const id = mostLikely(logits);
    const ended = id === end || tokenizer.isEndOfGeneration(id);
    if (ended || said.length === most) return { tokens: Int32Array.from(said), ended };
    said.push(id);
    logits = await session.feed(Int32Array.of(id));
  }
}
