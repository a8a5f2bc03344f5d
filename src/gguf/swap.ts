/**
 * Byte order of tensor data: which fields of a block are wider than a byte, so that data of big-endian files
 * can be turned into the little-endian data that everything else works on.
 * Widths follow how ggml accesses the fields: `qh` of Q5_0 is declared as bytes but read and written as a u32.
 */
import { type FormatName, formatName, type TensorFormat } from '../quants/index.ts';

/** A run of `count` fields of `width` bytes each, from byte `at` of the block. */
interface Run {
  readonly at: number;
  readonly width: 2 | 4 | 8;
  readonly count: number;
}

/** One field. */
function field(at: number, width: Run['width']): Run {
  return { at, width, count: 1 };
}

const HALF_FIRST = [field(0, 2)];

const RUNS: Readonly<Record<FormatName, readonly Run[]>> = {
  F32: [field(0, 4)],
  F16: [field(0, 2)],
  BF16: [field(0, 2)],
  F64: [field(0, 8)],
  I8: [],
  I16: [field(0, 2)],
  I32: [field(0, 4)],
  I64: [field(0, 8)],
  Q4_0: HALF_FIRST,
  Q4_1: [field(0, 2), field(2, 2)],
  Q5_0: [field(0, 2), field(2, 4)],
  Q5_1: [field(0, 2), field(2, 2), field(4, 4)],
  Q8_0: HALF_FIRST,
  Q8_K: [field(0, 4), { at: 260, width: 2, count: 16 }],
  Q2_K: [field(80, 2), field(82, 2)],
  Q3_K: [field(108, 2)],
  Q4_K: [field(0, 2), field(2, 2)],
  Q5_K: [field(0, 2), field(2, 2)],
  Q6_K: [field(208, 2)],
  IQ1_S: [field(0, 2), { at: 34, width: 2, count: 8 }],
  IQ1_M: [{ at: 48, width: 2, count: 4 }],
  IQ2_XXS: [field(0, 2), { at: 2, width: 4, count: 16 }],
  IQ2_XS: [field(0, 2), { at: 2, width: 2, count: 32 }],
  IQ2_S: HALF_FIRST,
  IQ3_XXS: [field(0, 2), { at: 66, width: 4, count: 8 }],
  IQ3_S: HALF_FIRST,
  IQ4_NL: HALF_FIRST,
  IQ4_XS: [field(0, 2), field(2, 2)],
  TQ1_0: [field(52, 2)],
  TQ2_0: [field(64, 2)],
  MXFP4: [],
  NVFP4: [],
  Q1_0: HALF_FIRST,
  Q2_0: HALF_FIRST,
};

/** Reverses the bytes of every wide field of whole blocks, in place; its own inverse. */
export function swapBytes(format: TensorFormat, bytes: Uint8Array): void {
  const runs = RUNS[formatName(format)];
  for (let block = 0; block < bytes.length; block += format.blockBytes) {
    for (const { at, width, count } of runs) {
      const end = block + at + width * count;
      for (let start = block + at; start < end; start += width)
        bytes.subarray(start, start + width).reverse();
    }
  }
}
