/** What the codebook kernels need in their memory: a codebook as values, and as lists by half points. */
import type { Codebook } from './codebooks.ts';

/** Bytes of a table entry of the kernel; list offsets are multiples of it (codebook-tables.as.ts). */
const ENTRY = 32;
/** u32 offsets of values, inverse and list, a spare word, then 8 levels. */
const HEADER = 16 + 8 * 4;

/** Numbers of the two halves of point `p`: their digits as one number each. */
function halves(book: Codebook, p: number): readonly [low: number, high: number] {
  const packed = book.packed[p];
  if (book.dimension === 4) return [packed & 63, packed >> 6];
  const ternary = (digits: number) =>
    (digits & 3) + 3 * ((digits >> 2) & 3) + 9 * ((digits >> 4) & 3) + 27 * ((digits >> 6) & 3);
  return [ternary(packed & 255), ternary(packed >> 8)];
}

/** Records of u16: offset of a low half, pairs of points, offsets of their high halves (even many); then 0, 0. */
function pointList(book: Codebook): Uint16Array {
  const byLow = new Map<number, number[]>();
  for (let p = 0; p < book.count; p++) {
    const [low, high] = halves(book, p);
    byLow.set(low, [...(byLow.get(low) ?? []), high]);
  }
  const records = [...byLow].flatMap(([low, highs]) => {
    const even = highs.length % 2 === 0 ? highs : [...highs, highs[0]];
    return [low * ENTRY, even.length / 2, ...even.map((high) => high * ENTRY)];
  });
  return Uint16Array.from([...records, 0, 0]);
}

/** Tables of a codebook in the layout that `useFormat` of codebook-block.as.ts reads. */
export function codebookTables(book: Codebook): Uint8Array {
  const side = book.dimension === 8 ? 81 : 64;
  const values = Float32Array.from(book.values);
  const inverse = new Uint16Array(side * side);
  for (let p = 0; p < book.count; p++) {
    const [low, high] = halves(book, p);
    inverse[low * side + high] = p;
  }
  const list = pointList(book);
  const inverseAt = HEADER + values.byteLength;
  const listAt = inverseAt + 4 * Math.ceil(inverse.byteLength / 4);
  const bytes = new Uint8Array(listAt + list.byteLength);
  bytes.set(new Uint8Array(Uint32Array.of(HEADER, inverseAt, listAt).buffer));
  bytes.set(new Uint8Array(Float32Array.from(book.levels).buffer), 16);
  bytes.set(new Uint8Array(values.buffer), HEADER);
  bytes.set(new Uint8Array(inverse.buffer), inverseAt);
  bytes.set(new Uint8Array(list.buffer), listAt);
  return bytes;
}
