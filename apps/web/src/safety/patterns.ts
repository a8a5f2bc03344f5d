/** A simple check: words and phrases that must not occur. An example, and enough for some. */
import { ALLOW, type SafetyCheck, type Verdict } from './check.ts';

export interface PatternOptions {
  /** One a line: a word or phrase, in any case; `*` stands for any letters. Empty lines and those from `#` on are none. */
  readonly patterns: string;
  readonly action: 'warn' | 'block';
}

/** Letters that a `*` may stand for at most, so that the end of a word that grows is held back. */
const STAR = 32;

const LETTER = '[\\p{L}\\p{N}\\p{M}_]';

/** Characters that mean something in a regular expression. */
const SPECIAL = /[\\^$.*+?()[\]{}|/-]/g;

function linesOf(patterns: string): string[] {
  return patterns
    .split('\n')
    .map((line) => line.normalize('NFKC').trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function expression(line: string): RegExp {
  const words = line
    .split('*')
    .map((part) => part.replace(SPECIAL, '\\$&').replace(/ /g, '\\s+'))
    .join(`${LETTER}{0,${STAR}}`);
  return new RegExp(`(?<!${LETTER})(?:${words})(?!${LETTER})`, 'iu');
}

/** @returns undefined where there are no patterns: then there is nothing to check. */
export function patternCheck({ patterns, action }: PatternOptions): SafetyCheck | undefined {
  const lines = linesOf(patterns);
  if (lines.length === 0) return undefined;
  const known = lines.map((line) => ({ line, found: expression(line) }));
  const look = (text: string, where: string): Verdict => {
    const normal = text.normalize('NFKC');
    const hit = known.find(({ found }) => found.test(normal));
    return hit
      ? { kind: action, reason: `${where} contains “${hit.line}”, which is on this page's list.` }
      : ALLOW;
  };
  return {
    name: 'list of words',
    holdBack: Math.max(...lines.map((line) => line.length + STAR * (line.split('*').length - 1))),
    input: (messages) => look(messages.map(({ content }) => content).join('\n'), 'What was asked'),
    // The last word may be the beginning of a longer, harmless one.
    output: (text, whole) =>
      look(whole ? text : text.replace(new RegExp(`${LETTER}+$`, 'u'), ''), 'The answer'),
  };
}
