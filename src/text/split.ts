/**
 * Splitting by regular expressions, the first stage of byte-level vocabularies: what matches becomes a piece, and so
 * does what lies between. Several expressions are applied in turn, each to the pieces of the one before.
 */

/** Where a match overflows the stack of the engine (a run of millions of letters), it is cut after so many units. */
const LONGEST_RUN = 1 << 18;

/** @param patterns with the g flag, and u or v. */
export function splitBy(text: string, patterns: readonly RegExp[]): string[] {
  let pieces = [text];
  for (const pattern of patterns) {
    const finer: string[] = [];
    for (const piece of pieces) splitOnce(piece, pattern, finer);
    pieces = finer;
  }
  return pieces;
}

function splitOnce(text: string, pattern: RegExp, pieces: string[]): void {
  let done = 0;
  const add = (end: number): void => {
    if (end > done) pieces.push(text.slice(done, end));
    done = end;
  };
  try {
    for (const match of text.matchAll(pattern)) {
      add(match.index);
      add(match.index + match[0].length);
    }
    add(text.length);
  } catch (error) {
    if (!(error instanceof RangeError) || text.length - done <= LONGEST_RUN) throw error;
    const rest = text.slice(done);
    for (const part of cutRuns(rest)) splitOnce(part, pattern, pieces);
  }
}

/** Parts of at most LONGEST_RUN units, cut between characters, before white space where there is some. */
function cutRuns(text: string): string[] {
  const parts: string[] = [];
  for (let begin = 0; begin < text.length; ) {
    let end = Math.min(text.length, begin + LONGEST_RUN);
    if (end < text.length) {
      const space = text.lastIndexOf(' ', end);
      if (space > begin) end = space;
      else if (/[\uDC00-\uDFFF]/.test(text[end])) end--;
    }
    parts.push(text.slice(begin, end));
    begin = end;
  }
  return parts;
}
