/** Words of a text in any script: what a search compares. */

const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' });

/** In lower case, in one form of Unicode; numbers too, punctuation not. A text in a script without spaces has words, too. */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const { segment, isWordLike } of segmenter.segment(text.normalize('NFKC').toLowerCase())) {
    if (isWordLike) words.push(...segment.split(/[_'’.]+/).filter((part) => part !== ''));
  }
  return words;
}
