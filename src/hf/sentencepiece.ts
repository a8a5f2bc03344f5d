/**
 * tokenizer.model: the vocabulary of a SentencePiece model. The file is a protobuf; of its fields only the
 * pieces (1: string, score, type) and the trainer's kind of model (2.3) are read, the others are skipped.
 */
import { inputError } from '../core/index.ts';
import { decodeUtf8, describe } from './json.ts';

/** Most pieces; the largest real vocabularies have about 260 k. */
const MAX_PIECES = 16_000_000;

/** Longest piece in bytes. */
const MAX_PIECE_BYTES = 10_000_000;

/** Kinds of pieces by their number in the file; the same numbers stand in `tokenizer.ggml.token_type`. */
const PIECE_TYPES = {
  normal: 1,
  unknown: 2,
  control: 3,
  user_defined: 4,
  unused: 5,
  byte: 6,
} as const;

export type PieceType = keyof typeof PIECE_TYPES;

const TYPE_NAMES = new Map(Object.entries(PIECE_TYPES).map(([name, id]) => [id, name as PieceType]));

const MODEL_KINDS = new Map([
  [1, 'unigram'],
  [2, 'bpe'],
  [3, 'word'],
  [4, 'char'],
] as const);

export interface Piece {
  readonly text: string;
  /** f32; for BPE minus the merge's rank. */
  readonly score: number;
  readonly type: PieceType;
}

export interface SentencePieceModel {
  readonly kind: 'unigram' | 'bpe' | 'word' | 'char';
  /** By token id. */
  readonly pieces: readonly Piece[];
}

/** A field as it stands in the file: bytes of wire type 2, 32 bits of wire type 5, or a varint. */
interface Field {
  readonly number: number;
  readonly bytes?: Uint8Array;
  readonly f32?: number;
  readonly varint?: bigint;
}

/** Walks the fields of one protobuf message. */
class Message {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #place: string;
  #at = 0;

  constructor(bytes: Uint8Array, place: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#place = place;
  }

  *fields(): Generator<Field> {
    while (this.#at < this.#bytes.length) {
      const tag = this.#varint();
      const number = Number(tag >> 3n);
      if (number < 1 || number >= 2 ** 29) throw this.#error(`field number ${number}`);
      yield { number, ...this.#value(Number(tag & 7n)) };
    }
  }

  #value(wireType: number): Omit<Field, 'number'> {
    switch (wireType) {
      case 0:
        return { varint: this.#varint() };
      case 1:
        this.#take(8);
        return {};
      case 2:
        return { bytes: this.#take(this.#varint()) };
      case 5:
        this.#take(4);
        return { f32: this.#view.getFloat32(this.#at - 4, true) };
      default:
        throw this.#error(`wire type ${wireType}`);
    }
  }

  #take(length: number | bigint): Uint8Array {
    const left = this.#bytes.length - this.#at;
    if (length > left) throw this.#error(`${length} bytes announced, ${left} left`);
    this.#at += Number(length);
    return this.#bytes.subarray(this.#at - Number(length), this.#at);
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const [byte] = this.#take(1);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw this.#error('a number of more than 10 bytes');
  }

  #error(problem: string): Error {
    return inputError(this.#place, `is no SentencePiece model: ${problem} (byte ${this.#at} of the message)`);
  }
}

function readPiece(bytes: Uint8Array, place: string): Piece {
  let text = '';
  let score = 0;
  let type: PieceType | undefined = 'normal';
  for (const { number, bytes: value, f32, varint } of new Message(bytes, place).fields()) {
    if (number === 1 && value) {
      if (value.length > MAX_PIECE_BYTES) throw inputError(place, `is ${value.length} bytes long`);
      text = decodeUtf8(value, place);
    } else if (number === 2 && f32 !== undefined) score = f32;
    else if (number === 3 && varint !== undefined) {
      type = TYPE_NAMES.get(Number(varint) as (typeof PIECE_TYPES)[PieceType]);
      if (!type) throw inputError(place, `has type ${varint}, not 1 to 6`);
    } else if (number <= 3) throw inputError(place, `field ${number} has the wrong wire type`);
  }
  if (text === '') throw inputError(place, 'is empty');
  if (!Number.isFinite(score)) throw inputError(place, `(${describe(text)}) has score ${score}`);
  return { text, score, type };
}

function readKind(bytes: Uint8Array, place: string): SentencePieceModel['kind'] {
  let id = 1n;
  for (const { number, varint } of new Message(bytes, `${place}: trainer_spec`).fields()) {
    if (number === 3 && varint !== undefined) id = varint;
  }
  const kind = MODEL_KINDS.get(Number(id) as 1 | 2 | 3 | 4);
  if (!kind) throw inputError(place, `has model_type ${id}, not 1 to 4`);
  return kind;
}

/**
 * Reads a tokenizer.model.
 * @param place how messages call the file.
 * @throws input error: not a protobuf of this kind, no pieces, empty or repeated pieces, scores that are no numbers.
 */
export function readSentencePiece(bytes: Uint8Array, place: string): SentencePieceModel {
  const pieces: Piece[] = [];
  const ids = new Map<string, number>();
  let kind: SentencePieceModel['kind'] = 'unigram';
  for (const { number, bytes: value } of new Message(bytes, place).fields()) {
    if (number > 2) continue;
    if (!value) throw inputError(place, `is no SentencePiece model: field ${number} has the wrong wire type`);
    if (number === 2) {
      kind = readKind(value, place);
      continue;
    }
    const id = pieces.length;
    if (id >= MAX_PIECES) throw inputError(place, `has more than ${MAX_PIECES} pieces`);
    const piece = readPiece(value, `${place}: piece ${id}`);
    const other = ids.get(piece.text);
    if (other !== undefined) {
      throw inputError(`${place}: piece ${id}`, `(${describe(piece.text)}) is piece ${other} as well`);
    }
    ids.set(piece.text, id);
    pieces.push(piece);
  }
  if (pieces.length === 0) throw inputError(place, 'is no SentencePiece model: it has no pieces');
  return { kind, pieces };
}
