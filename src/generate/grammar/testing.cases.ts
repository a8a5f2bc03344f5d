/** What the tests of the folder share: whole texts against a grammar, vocabularies made of strings. */
import { Automaton } from './automaton.ts';
import type { Grammar } from './expression.ts';
import type { GrammarTokenizer } from './token-trie.ts';
import { bytesOf } from './utf8.ts';

/** Whether a grammar accepts a whole text. */
export function matcher(grammar: Grammar): (text: string) => boolean {
  const automaton = new Automaton(grammar);
  return (text) => automaton.read(automaton.start(), bytesOf(text))?.complete ?? false;
}

/** Tokens by text or bytes; the last id, one more, ends a generation. */
export function vocabulary(pieces: readonly (string | Uint8Array)[]): GrammarTokenizer {
  const bytes = pieces.map((piece) => (typeof piece === 'string' ? bytesOf(piece) : piece));
  return {
    vocabularySize: bytes.length + 1,
    piece: (id) => bytes[id] ?? bytesOf('<end>'),
    isControl: (id) => id === bytes.length,
    isEndOfGeneration: (id) => id === bytes.length,
  };
}
