/**
 * Blocks of 32 weights `d * q + m` with f16 d and m: Q4_1 and Q5_1. The plain definition of the kernels in
 * affine-pair.kernel.as.ts: the real pair of affine.ts, then the f16 pairs around it.
 */
import { f16ToF32 } from '../core/index.ts';
import {
  type AffineShape,
  type Block,
  errorOf,
  type Fit,
  ladder,
  loadBlock,
  nearestCode,
  rangeOf,
  type StartsByEffort,
  searchSubBlock,
  sumsOf,
} from './affine.ts';
import { factorBits } from './affine-super.ts';
import type { RowEncoder } from './format.ts';

/** A block's result: f16 bits of d and m, codes [32]. */
export interface PairBlock {
  readonly d: number;
  readonly m: number;
  readonly codes: Uint8Array;
}

/**
 * The grids hold (0, -1): weights that stand on 2^k levels in full fit all codes but one exactly. Also in `setEffort`
 * of affine-pair.kernel.as.ts.
 */
const STARTS: StartsByEffort = {
  fast: { lows: ladder(-0.75, 0.75, 4), highs: ladder(-1, 0.75, 4), fits: 2 },
  best: { lows: ladder(-1.5, 0.5, 8), highs: ladder(-1.5, 0.5, 8), fits: 4 },
};

/** Scale from the range alone and one least-squares fit: quick, for equal importance. */
function fitRange(block: Block, shape: AffineShape): Fit {
  const { low, high } = rangeOf(block, shape, 0);
  const sums = sumsOf(block, shape, 0, (high - low) / shape.maxCode, -low);
  const det = sums.qq * sums.w - sums.wq * sums.wq;
  const s = det > 1e-6 * sums.qq * sums.w ? (sums.xq * sums.w - sums.wq * sums.wx) / det : 0;
  return { s, m: -low, sums };
}

/**
 * Four f16 values around the ideal scale compete, each with the min that suits its codes and with the mins
 * that move all codes by up to `shifts`: one of those may be the f16 that meets weights on a grid exactly.
 */
function roundPair(block: Block, shape: AffineShape, { s: ideal, sums }: Fit, shifts: number): PairBlock {
  const near = factorBits(ideal);
  let best = { error: Number.POSITIVE_INFINITY, d: 0, m: 0 };
  for (const shift of ladder(-shifts, 1, 2 * shifts + 1)) {
    for (const bits of ladder(near - 1, 1, 4)) {
      const d = ideal > 0 ? Math.min(Math.max(bits, 0), 0x7bff) : 0;
      const s = f16ToF32(d);
      const m = factorBits((sums.wx - s * sums.wq) / sums.w - s * shift);
      const error = errorOf(block, shape, 0, s, -f16ToF32(m));
      if (error < best.error) best = { error, d, m };
    }
  }
  const { d, m } = best;
  const codes = Uint8Array.from(block.x, (x) => nearestCode(x, f16ToF32(d), -f16ToF32(m), shape.maxCode));
  return { d, m, codes };
}

/**
 * A row encoder of blocks of 32.
 * @param pack writes a block's result to the zeroed `blockBytes` bytes of `dst` from `at` on.
 */
export function pairEncoder(
  maxCode: number,
  blockBytes: number,
  pack: (block: PairBlock, dst: Uint8Array, at: number) => void,
): RowEncoder {
  const shape: AffineShape = { subBlocks: 1, subSize: 32, maxCode, leastMin: Number.NEGATIVE_INFINITY };
  return (src, dst, importance, effort) => {
    dst.fill(0);
    const quick = importance === null && effort === 'fast';
    const starts = importance === null ? STARTS.fast : STARTS[effort];
    const shifts = quick ? 0 : importance === null ? 1 : 2;
    for (let from = 0, at = 0; from < src.length; from += 32, at += blockBytes) {
      const block = loadBlock(src, importance, from, 32);
      if (block.x.every((v) => v === 0)) continue;
      const fit = quick ? fitRange(block, shape) : searchSubBlock(block, shape, 0, starts);
      pack(roundPair(block, shape, fit, shifts), dst, at);
    }
  };
}
