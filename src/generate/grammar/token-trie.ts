/** The tokens of a vocabulary by their bytes: those that begin alike share the way, so it is matched once for all. */

/** What is needed of a tokenizer; `text` has them. */
export interface GrammarTokenizer {
  readonly vocabularySize: number;
  /** Bytes that an id stands for. */
  piece(id: number): Uint8Array;
  /** Control tokens write nothing. */
  isControl(id: number): boolean;
  isEndOfGeneration(id: number): boolean;
}

/** Nodes in depth-first order, without the root; tokens in the same order. */
export interface TokenTrie {
  readonly vocabularySize: number;
  /** By node: its byte. */
  readonly bytes: Uint8Array;
  /** By node: how many bytes lead to it, from 1. */
  readonly depths: Uint16Array;
  /** By node: the next one that is not below it. */
  readonly skips: Int32Array;
  /** By node, and one more: where the ids begin in `ids` whose bytes end with it. */
  readonly starts: Int32Array;
  readonly ids: Int32Array;
  readonly maxDepth: number;
  /** Ids that end a generation. */
  readonly ends: readonly number[];
}

/** Longer pieces are no use to a model and never allowed; `depths` holds no more. */
const MAX_PIECE = 65_535;

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function common(a: Uint8Array, b: Uint8Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** Sorts once, then cuts: n log n in the vocabulary. */
export function tokenTrie(tokenizer: GrammarTokenizer): TokenTrie {
  const ends: number[] = [];
  const tokens: { id: number; piece: Uint8Array }[] = [];
  for (let id = 0; id < tokenizer.vocabularySize; id++) {
    if (tokenizer.isEndOfGeneration(id)) ends.push(id);
    else if (!tokenizer.isControl(id)) tokens.push({ id, piece: tokenizer.piece(id) });
  }
  const written = tokens.filter(({ piece }) => piece.length > 0 && piece.length <= MAX_PIECE);
  written.sort((a, b) => compare(a.piece, b.piece) || a.id - b.id);
  const bytes: number[] = [];
  const depths: number[] = [];
  const starts: number[] = [];
  let before: Uint8Array = new Uint8Array(0);
  written.forEach(({ piece }, at) => {
    for (let depth = common(before, piece); depth < piece.length; depth++) {
      bytes.push(piece[depth]);
      depths.push(depth + 1);
      starts.push(at);
    }
    before = piece;
  });
  return {
    vocabularySize: tokenizer.vocabularySize,
    bytes: Uint8Array.from(bytes),
    depths: Uint16Array.from(depths),
    skips: skipsOf(depths),
    starts: Int32Array.from([...starts, written.length]),
    ids: Int32Array.from(written, ({ id }) => id),
    maxDepth: depths.reduce((most, depth) => Math.max(most, depth), 0),
    ends,
  };
}

function skipsOf(depths: readonly number[]): Int32Array {
  const skips = new Int32Array(depths.length);
  /** Nodes behind that are not below a later one of them, the next one last. */
  const behind: number[] = [];
  for (let node = depths.length - 1; node >= 0; node--) {
    while (behind.length > 0 && depths[behind[behind.length - 1]] > depths[node]) behind.pop();
    skips[node] = behind.at(-1) ?? depths.length;
    behind.push(node);
  }
  return skips;
}
