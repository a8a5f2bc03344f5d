/** Byte tokens of SentencePiece vocabularies, `<0x00>` to `<0xFF>`: what characters without a token become. */
import type { Vocabulary } from './vocabulary.ts';

const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/i;

/** The byte that a token's text names, if it does. */
export function byteOf(text: string): number | undefined {
  const digits = BYTE_TOKEN.exec(text)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

const utf8 = new TextEncoder();

/** Writes characters as byte tokens; where the vocabulary lacks one, as its unknown token, or not at all. */
export class ByteFallback {
  /** By byte; -1 where there is none. */
  readonly #ids: Int32Array;

  constructor(vocabulary: Vocabulary) {
    const unknown = vocabulary.special.unknown ?? -1;
    this.#ids = Int32Array.from({ length: 256 }, (_, byte) => {
      const hex = byte.toString(16).padStart(2, '0');
      return (
        vocabulary.idOf(`<0x${hex.toUpperCase()}>`) ??
        vocabulary.idOf(`<0x${hex}>`) ??
        (byte < 0x80 ? vocabulary.plainIdOf(String.fromCharCode(byte)) : undefined) ??
        unknown
      );
    });
  }

  append(text: string, ids: number[]): void {
    for (const byte of utf8.encode(text)) if (this.#ids[byte] >= 0) ids.push(this.#ids[byte]);
  }
}
