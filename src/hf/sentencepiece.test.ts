import { describe, expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { BitmillError } from '../core/index.ts';
import { readSentencePiece } from './index.ts';

const utf8 = (text: string) => [...new TextEncoder().encode(text)];
/** Protobuf: bytes of wire type 2, shorter than 128. */
const field = (number: number, bytes: number[]) => [(number << 3) | 2, bytes.length, ...bytes];
const varint = (number: number, value: number) => [number << 3, value];
const f32 = (number: number, value: number) => [
  (number << 3) | 5,
  ...new Uint8Array(new Float32Array([value]).buffer),
];
const piece = (text: string, score: number, type?: number) =>
  field(1, [...field(1, utf8(text)), ...f32(2, score), ...(type === undefined ? [] : varint(3, type))]);
const read = (...parts: number[][]) => readSentencePiece(new Uint8Array(parts.flat()), 'tokenizer.model');

const MODEL = [
  piece('<unk>', 0, 2),
  piece('<s>', 0, 3),
  piece('<0x0A>', 0, 6),
  piece('▁t', -1.5),
  piece('<|user|>', 0, 4),
  field(2, [...varint(3, 2), ...field(1, utf8('corpus.txt'))]),
  field(3, [...varint(3, 1)]),
];

test('pieces come with text, score and type, the kind from the trainer; other fields are skipped', () => {
  expect(read(...MODEL)).toEqual({
    kind: 'bpe',
    pieces: [
      { text: '<unk>', score: 0, type: 'unknown' },
      { text: '<s>', score: 0, type: 'control' },
      { text: '<0x0A>', score: 0, type: 'byte' },
      { text: '▁t', score: -1.5, type: 'normal' },
      { text: '<|user|>', score: 0, type: 'user_defined' },
    ],
  });
});

test('the bytes are those of the protobuf by hand', () => {
  const bytes = [0x0a, 0x0a, 0x0a, 0x01, 0x61, 0x15, 0x00, 0x00, 0x80, 0xbf, 0x18, 0x01];
  expect(read(bytes)).toEqual({ kind: 'unigram', pieces: [{ text: 'a', score: -1, type: 'normal' }] });
});

describe('hostile files are refused with one clear error of kind input', () => {
  const CASES: Record<string, [number[], RegExp]> = {
    'an empty file': [[], /it has no pieces/],
    'text in place of a protobuf': [utf8('version https://git-lfs'), /is no SentencePiece model/],
    'a length beyond the file': [[0x0a, 0x7f, 0x0a], /127 bytes announced, 1 left/],
    'a length of 2^64 - 1': [[0x0a, ...Array(9).fill(0xff), 0x01], /18446744073709551615 bytes announced/],
    'a number without end': [[0x0a, ...Array(11).fill(0x80)], /more than 10 bytes/],
    'a number cut short': [[0x0a, 0x80], /1 bytes announced, 0 left/],
    'field number 0': [[0x02, 0x00], /field number 0/],
    'wire type 3': [[0x0b], /wire type 3/],
    'pieces of the wrong wire type': [[0x08, 0x01], /field 1 has the wrong wire type/],
    'a text of the wrong wire type': [field(1, varint(1, 1)), /piece 0: field 1 has the wrong wire type/],
    'an empty piece': [piece('', 1), /piece 0: is empty/],
    'a piece twice': [[...piece('a', 1), ...piece('a', 2)], /piece 1: \("a"\) is piece 0 as well/],
    'a piece that is no UTF-8': [field(1, field(1, [0xff])), /piece 0: is not UTF-8/],
    'a score that is no number': [piece('a', Number.NaN), /\("a"\) has score NaN/],
    'an infinite score': [piece('a', Number.POSITIVE_INFINITY), /has score Infinity/],
    'an unknown type': [piece('a', 0, 7), /has type 7, not 1 to 6/],
    'an unknown kind of model': [[...piece('a', 0), ...field(2, varint(3, 9))], /has model_type 9/],
  };
  for (const [name, [bytes, message]] of Object.entries(CASES)) {
    test(name, () => {
      expect(() => read(bytes)).toThrow(message);
      expect(() => read(bytes)).toThrow(BitmillError);
    });
  }

  test('5000 seeded mutations', () => {
    const random = uniform(11);
    const base = new Uint8Array(MODEL.flat());
    let accepted = 0;
    for (let i = 0; i < 5000; i++) {
      const bytes = base.slice(0, random() < 0.2 ? Math.floor(random() * base.length) : undefined);
      for (let n = 0; n < 1 + (i % 3) && bytes.length > 0; n++) {
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      }
      try {
        const { pieces } = readSentencePiece(bytes, 'fuzz');
        expect(new Set(pieces.map(({ text }) => text)).size).toBe(pieces.length);
        accepted++;
      } catch (error) {
        if (!(error instanceof BitmillError) || error.kind !== 'input') throw error;
      }
    }
    expect(accepted).toBeGreaterThan(50);
    expect(accepted).toBeLessThan(4000);
  });
});
