/** Characters as UTF-8: a range of them as sequences of byte ranges. */

/** Each byte of a sequence is from `[0]` to `[1]`. */
export type ByteRanges = readonly (readonly [number, number])[];

const utf8 = new TextEncoder();

export const bytesOf = (text: string): Uint8Array => utf8.encode(text);

/** Last characters that take one, two, three and four bytes. */
const LASTS = [0x7f, 0x7ff, 0xffff, 0x10ffff] as const;

/** All characters from `first` to `last` (no surrogate among them), as few sequences as simple cutting gives. */
export function byteRanges(first: number, last: number): ByteRanges[] {
  for (const limit of LASTS) {
    if (first <= limit && last > limit) return [...byteRanges(first, limit), ...byteRanges(limit + 1, last)];
  }
  // Cut so that below the first differing byte all bytes run through their whole range.
  for (let bits = 6; bits <= 18 && last > 0x7f; bits += 6) {
    const low = 2 ** bits - 1;
    if (Math.floor(first / (low + 1)) === Math.floor(last / (low + 1))) break;
    if ((first & low) !== 0)
      return [...byteRanges(first, first | low), ...byteRanges((first | low) + 1, last)];
    if ((last & low) !== low) {
      const start = last - (last & low);
      return [...byteRanges(first, start - 1), ...byteRanges(start, last)];
    }
  }
  const a = bytesOf(String.fromCodePoint(first));
  const b = bytesOf(String.fromCodePoint(last));
  return [Array.from(a, (byte, i) => [byte, b[i]] as const)];
}
