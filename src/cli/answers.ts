/** A model's answer to one prompt, told as it comes, with what it took. */
import { type FinishReason, type GenerationOptions, generate, type Session } from '../generate/index.ts';
import type { Tokenizer } from '../text/index.ts';

export interface Answer {
  readonly text: string;
  readonly reason: FinishReason;
  readonly promptTokens: number;
  readonly tokens: number;
  /** To the first token, and from there to the last. */
  readonly seconds: readonly [number, number];
}

export function statsText({ promptTokens, tokens, seconds: [first, rest] }: Answer): string {
  const speed = tokens > 1 ? `, ${((tokens - 1) / rest).toFixed(1)} tokens/s` : '';
  return `prompt: ${promptTokens} tokens in ${first.toFixed(2)} s; answer: ${tokens} tokens${speed}\n`;
}

/** @param show gets every piece of text as soon as it is certain. */
export async function answer(
  session: Session,
  tokenizer: Tokenizer,
  prompt: Int32Array,
  options: GenerationOptions,
  show: (text: string) => void,
): Promise<Answer> {
  const started = performance.now();
  let first = started;
  const texts: string[] = [];
  const add = (text: string): void => {
    texts.push(text);
    show(text);
  };
  const tokens = generate(session, tokenizer, prompt, options);
  for (let step = await tokens.next(); ; step = await tokens.next()) {
    if (first === started) first = performance.now();
    add(step.value.text);
    if (!step.done) continue;
    const { reason, tokens: count } = step.value;
    const seconds = [first - started, performance.now() - first].map((ms) => ms / 1000);
    return {
      text: texts.join(''),
      reason,
      promptTokens: prompt.length,
      tokens: count,
      seconds: [seconds[0], seconds[1]],
    };
  }
}
