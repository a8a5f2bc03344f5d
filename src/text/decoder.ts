/**
 * Ids to text, one at a time: bytes go in, whole characters come out. Bytes that are no UTF-8 become U+FFFD where
 * TextDecoder puts it, one for each longest beginning of a character; Hugging Face's decoders for byte tokens put one
 * for every byte of the run.
 */
import type { StreamingDecoder } from './types.ts';

const SPACE = 0x20;

/**
 * @param bytes of an id; empty where nothing is written.
 * @param dropSpace leave out one space at the beginning of the text.
 */
export function streamingDecoder(bytes: (id: number) => Uint8Array, dropSpace: boolean): StreamingDecoder {
  let started = !dropSpace;
  // A byte-order mark in the middle of a text is a character like any other.
  let utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push: (id) => {
      let piece = bytes(id);
      if (!started && piece.length > 0) {
        started = true;
        if (piece[0] === SPACE) piece = piece.subarray(1);
      }
      return utf8.decode(piece, { stream: true });
    },
    flush: () => {
      const rest = utf8.decode();
      started = !dropSpace;
      utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
      return rest;
    },
  };
}
