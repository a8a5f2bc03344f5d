/**
 * Codebooks of the IQ formats as component values, unpacked on first use from the 9 kB in codebooks.data.ts.
 * `values[p * dimension + k]` is component k of point p, in the integer units of the format's decode formula.
 */
import * as data from './codebooks.data.ts';

export interface Codebook {
  /** Components a point: 8 or 4 consecutive weights. */
  readonly dimension: 4 | 8;
  /** Number of points, a power of two. */
  readonly count: number;
  /** Component values by level: what the 2- or 3-bit digits stand for. */
  readonly levels: readonly number[];
  /** One packed point each: digit k in bits `k * (16 / 8 or 12 / 4)`, i.e. 2 or 3 bits a component. */
  readonly packed: Uint16Array;
  readonly values: Int8Array;
}

function unpack(base64: string, dimension: 4 | 8, levels: readonly number[]): Codebook {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const packed = new Uint16Array(bytes.buffer);
  const width = dimension === 8 ? 2 : 3;
  const values = new Int8Array(packed.length * dimension);
  for (let p = 0; p < packed.length; p++) {
    for (let k = 0; k < dimension; k++) {
      values[p * dimension + k] = levels[(packed[p] >> (width * k)) & ((1 << width) - 1)];
    }
  }
  return { dimension, count: packed.length, levels, packed, values };
}

function lazy(make: () => Codebook): () => Codebook {
  let made: Codebook | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const TWO_BIT = [8, 25, 43];

export const iq2xxsGrid = lazy(() => unpack(data.IQ2_XXS_POINTS, 8, TWO_BIT));
export const iq2xsGrid = lazy(() => unpack(data.IQ2_XS_POINTS, 8, TWO_BIT));
export const iq2sGrid = lazy(() => unpack(data.IQ2_S_POINTS, 8, TWO_BIT));
export const iq3xxsGrid = lazy(() => unpack(data.IQ3_XXS_POINTS, 4, [4, 12, 20, 28, 36, 44, 52, 62]));
export const iq3sGrid = lazy(() => unpack(data.IQ3_S_POINTS, 4, [1, 3, 5, 7, 9, 11, 13, 15]));
export const iq1Grid = lazy(() => unpack(data.IQ1_POINTS, 8, [-1, 0, 1]));

/** Eight sign bits from the seven stored ones: the eighth makes the number of minus signs even. */
export function signMask(stored: number): number {
  let parity = stored ^ (stored >> 4);
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return stored | ((parity & 1) << 7);
}

/** Values of the 16 codes of IQ4_NL and IQ4_XS. */
export const IQ4_VALUES: readonly number[] = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/** Values of the 16 FP4 (E2M1) codes, doubled to be integers. */
export const FP4_DOUBLED: readonly number[] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];
