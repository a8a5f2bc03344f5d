/** A model's answer to one prompt, told as it comes, with what it took. */
import { setImmediate } from 'node:timers/promises';
import type { GeneratedToken, GenerationEnd } from '../generate/index.ts';

export interface Answer<End extends GenerationEnd> {
  readonly text: string;
  readonly end: End;
  /** To the first token, and from there to the last. */
  readonly seconds: readonly [number, number];
}

export function statsText(
  promptTokens: number,
  { end, seconds: [first, rest] }: Answer<GenerationEnd>,
): string {
  const { tokens } = end;
  const speed = tokens > 1 ? `, ${((tokens - 1) / rest).toFixed(1)} tokens/s` : '';
  return `prompt: ${promptTokens} tokens in ${first.toFixed(2)} s; answer: ${tokens} tokens${speed}\n`;
}

/** @param show gets every piece of text as soon as it is certain. */
export async function answer<End extends GenerationEnd>(
  tokens: AsyncGenerator<GeneratedToken, End>,
  show: (text: string) => void,
): Promise<Answer<End>> {
  const started = performance.now();
  let first = started;
  const texts: string[] = [];
  for (;;) {
    const { value, done } = await tokens.next();
    if (first === started) first = performance.now();
    texts.push(value.text);
    show(value.text);
    // A backend that never waits would keep the keyboard from being heard.
    await setImmediate();
    if (!done) continue;
    const [prompt, rest] = [first - started, performance.now() - first].map((ms) => ms / 1000);
    return { text: texts.join(''), end: value, seconds: [prompt, rest] };
  }
}
