/** Citations of an answer: `[1]`, `[1, 3]`, `[2][3]`. Which there are, and which name no source. */

/** A citation in the text: characters `from` up to `to`, the number of its source from 1. */
export interface Citation {
  readonly from: number;
  readonly to: number;
  readonly source: number;
}

/** Not what stands in code, and not the beginning of a Markdown link. */
const CODE = /```[\s\S]*?(?:```|$)|`[^`\n]*`/g;
const BRACKETS = /\[\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*\](?!\()/g;

export function citationsIn(text: string): Citation[] {
  const plain = text.replace(CODE, (code) => ' '.repeat(code.length));
  return [...plain.matchAll(BRACKETS)].flatMap((brackets) =>
    [...brackets[0].matchAll(/\d+/g)].map((number) => {
      const from = brackets.index + number.index;
      return { from, to: from + number[0].length, source: Number(number[0]) };
    }),
  );
}

export interface CitationCheck {
  /** Sources that are cited, from 1, ascending. */
  readonly cited: readonly number[];
  /** Numbers that are cited and name no source. */
  readonly unknown: readonly number[];
}

export function checkCitations(text: string, sources: number): CitationCheck {
  const numbers = [...new Set(citationsIn(text).map(({ source }) => source))].sort((a, b) => a - b);
  const exists = (source: number) => source >= 1 && source <= sources;
  return { cited: numbers.filter(exists), unknown: numbers.filter((source) => !exists(source)) };
}
