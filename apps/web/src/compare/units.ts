/**
 * What is compared: tokens where both models cut text alike, else words, so that two tokenizers do not differ in
 * everything though they say the same.
 */
import type { AnswerToken } from '../provider.ts';

/** A token, or the tokens of a word. */
export interface Unit {
  readonly text: string;
  /** ln p of all of it; undefined where the provider tells none. */
  readonly logprob: number | undefined;
  /** What might have come in place of its first token, the likeliest first. */
  readonly top: AnswerToken['top'];
}

/** A token of an answer as it came: probabilities are told or not. */
export interface ToldToken {
  readonly token: string;
  readonly logprob: number | undefined;
  readonly top: AnswerToken['top'];
}

/** Ends of tokens, in characters of the text. */
function ends(tokens: readonly ToldToken[]): number[] {
  let at = 0;
  return tokens.map(({ token }) => {
    at += token.length;
    return at;
  });
}

const join = (tokens: readonly ToldToken[]): string => tokens.map(({ token }) => token).join('');

/** Whether both cut what they have in common at the same places. */
export function cutAlike(a: readonly ToldToken[], b: readonly ToldToken[]): boolean {
  const [textA, textB] = [join(a), join(b)];
  const most = Math.min(textA.length, textB.length);
  let common = 0;
  while (common < most && textA[common] === textB[common]) common++;
  const within = (tokens: readonly ToldToken[]) => ends(tokens).filter((end) => end < common);
  const [endsA, endsB] = [within(a), within(b)];
  // The token that holds the first difference may begin anywhere.
  const shared = Math.min(endsA.length, endsB.length);
  const alike = endsA.slice(0, shared).every((end, i) => end === endsB[i]);
  return alike && Math.abs(endsA.length - endsB.length) <= 1;
}

export function tokenUnits(tokens: readonly ToldToken[]): Unit[] {
  return tokens.map(({ token, logprob, top }) => ({ text: token, logprob, top }));
}

/** Tokens up to the next one that begins with white space; line ends stand alone. */
export function wordUnits(tokens: readonly ToldToken[]): Unit[] {
  const units: Unit[] = [];
  for (const { token, logprob, top } of tokens) {
    const last = units.at(-1);
    if (!last || /^\s/.test(token) || /\n$/.test(last.text)) {
      units.push({ text: token, logprob, top });
    } else {
      const sum = last.logprob === undefined || logprob === undefined ? undefined : last.logprob + logprob;
      units[units.length - 1] = { ...last, text: last.text + token, logprob: sum };
    }
  }
  return units;
}
