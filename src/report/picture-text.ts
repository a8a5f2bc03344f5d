/** Text in pictures. */
import { oneLine } from './markdown.ts';

/** Characters of a line of a subtitle: what Vega, which takes them to be wide, fits into a plot's width. */
const LINE = 88;

/** Longest text of one sentence; names can be of any length. */
const LONGEST = 3 * LINE;

/** Sentences as lines of a subtitle, each beginning a new one. */
export function lines(...sentences: readonly string[]): string[] {
  return sentences.flatMap((sentence) => {
    const line = oneLine(sentence);
    const text = line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
    const wrapped = [''];
    for (const word of text.split(' ')) {
      const last = wrapped.length - 1;
      if (wrapped[last] !== '' && wrapped[last].length + word.length >= LINE) wrapped.push(word);
      else wrapped[last] += wrapped[last] === '' ? word : ` ${word}`;
    }
    return wrapped;
  });
}
