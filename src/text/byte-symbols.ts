/**
 * How byte-level vocabularies (GPT-2's scheme) write bytes: one printable character each. Printable Latin-1 stands
 * for itself; the 68 others take the characters from U+0100 on, in order.
 */

const PRINTABLE = [
  [0x21, 0x7e],
  [0xa1, 0xac],
  [0xae, 0xff],
] as const;

const isPrintable = (byte: number): boolean => PRINTABLE.some(([from, to]) => byte >= from && byte <= to);

function symbols(): string[] {
  let other = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : other++));
}

/** By byte. */
export const BYTE_SYMBOLS: readonly string[] = symbols();

const BYTES: ReadonlyMap<string, number> = new Map(BYTE_SYMBOLS.map((symbol, byte) => [symbol, byte]));

const utf8 = new TextEncoder();

/** A token's text as the bytes it means; text that holds other characters than these means itself. */
export function symbolBytes(text: string): Uint8Array {
  const bytes = Array.from(text, (symbol) => BYTES.get(symbol));
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : utf8.encode(text);
}
