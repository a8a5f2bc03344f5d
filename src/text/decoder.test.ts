import { describe, expect, test } from 'vitest';
import { streamingDecoder } from './decoder.ts';

const utf8 = new TextEncoder();

/** Ids are bytes. */
const byBytes = (dropSpace = false) => streamingDecoder((id) => Uint8Array.of(id), dropSpace);

const feed = (bytes: Iterable<number>, dropSpace = false): string[] => {
  const decoder = byBytes(dropSpace);
  return [...Array.from(bytes, (byte) => decoder.push(byte)), decoder.flush()];
};

describe('streamingDecoder', () => {
  test('a character comes out with its last byte, never in parts', () => {
    expect(feed(utf8.encode('é€😀'))).toEqual(['', 'é', '', '', '€', '', '', '', '😀', '']);
  });

  test('bytes that are no UTF-8 become U+FFFD as TextDecoder makes it, an unfinished character at the flush', () => {
    const bytes = [0x61, 0xff, 0xe2, 0x82, 0x62, 0xf0, 0x9f];
    expect(feed(bytes).join('')).toBe('a\ufffd\ufffdb\ufffd');
    expect(feed(bytes).join('')).toBe(new TextDecoder().decode(Uint8Array.from(bytes)));
    expect(feed([0xf0, 0x9f])).toEqual(['', '', '\ufffd']);
  });

  test('one space at the beginning is dropped where it was put by encode, and no other', () => {
    expect(feed(utf8.encode('  a b'), true).join('')).toBe(' a b');
    expect(feed(utf8.encode('a b'), true).join('')).toBe('a b');
    expect(feed(utf8.encode(' a'), false).join('')).toBe(' a');
  });

  test('ids without bytes do not count as the beginning', () => {
    const decoder = streamingDecoder((id) => utf8.encode(['', ' x'][id]), true);
    expect([0, 1, 1].map((id) => decoder.push(id))).toEqual(['', 'x', ' x']);
  });

  test('a byte-order mark is a character like any other', () => {
    expect(feed(utf8.encode('\ufeffa')).join('')).toBe('\ufeffa');
  });

  test('after a flush it is as new', () => {
    const decoder = byBytes(true);
    for (const byte of [0x20, 0x61, 0xc3]) decoder.push(byte);
    expect(decoder.flush()).toBe('\ufffd');
    expect(decoder.push(0x20) + decoder.push(0x62)).toBe('b');
  });
});
