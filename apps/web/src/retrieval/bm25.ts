/** Search by words: Okapi BM25. Rare words count more, repeated ones less and less, long texts do not win by length. */
import { wordsOf } from './words.ts';

/** How fast repeated words stop counting, and how much length counts: the usual values of the literature. */
const K1 = 1.2;
const B = 0.75;

export interface WordIndex {
  /** A score for each document, 0 where it shares no word with the query. */
  score(query: string): Float64Array;
}

export function wordIndex(documents: readonly string[]): WordIndex {
  /** Word -> documents and how often it stands in them. */
  const postings = new Map<string, Map<number, number>>();
  const lengths = documents.map((document, i) => {
    const words = wordsOf(document);
    for (const word of words) {
      const counts = postings.get(word) ?? new Map<number, number>();
      counts.set(i, (counts.get(i) ?? 0) + 1);
      postings.set(word, counts);
    }
    return words.length;
  });
  const mean = lengths.reduce((sum, one) => sum + one, 0) / Math.max(1, documents.length) || 1;
  return {
    score: (query) => {
      const scores = new Float64Array(documents.length);
      for (const word of new Set(wordsOf(query))) {
        const counts = postings.get(word);
        if (!counts) continue;
        const idf = Math.log(1 + (documents.length - counts.size + 0.5) / (counts.size + 0.5));
        for (const [i, count] of counts) {
          const norm = count + K1 * (1 - B + (B * lengths[i]) / mean);
          scores[i] += (idf * count * (K1 + 1)) / norm;
        }
      }
      return scores;
    },
  };
}
