/**
 * Super-blocks of 256 weights `d * S * q - dmin * M` with f16 d and dmin and a small integer S and M for each
 * sub-block: Q4_K, Q5_K and Q2_K. The plain definition of the kernels in affine-super.as.ts.
 *
 * The search: ideal real scales and mins (affine.ts); first guesses of d and dmin that map the largest of them
 * near the largest integer; for each guess the best S and M nearby, judged with codes rounded anew; then
 * least-squares d and dmin for the integers and codes found, as long as the error falls.
 */
import { f16ToF32, f32ToF16, MAX_F16 } from '../core/index.ts';
import {
  type AffineShape,
  type Block,
  errorOf,
  type Fit,
  ladder,
  loadBlock,
  nearestCode,
  rangeOf,
  type Starts,
  searchSubBlock,
  sumsOf,
} from './affine.ts';
import type { Effort, RowEncoder } from './format.ts';
import { LOUD, SECOND_CHANCE, WIDE } from './tuning.as.ts';

export interface SuperShape extends AffineShape {
  /** Largest integer scale and min. */
  readonly maxScale: number;
}

export interface SuperSearch {
  readonly starts: Starts;
  /** Multiples of the plain guess that d and dmin start from, in all pairs. */
  readonly factors: readonly number[];
  /** Refits of d and dmin at most, each followed by a search of S within `reach`. */
  readonly refits: number;
  readonly reach: number;
  /** Also searches the negated block, which gives negative d and dmin. */
  readonly bothSigns: boolean;
}

/** The search for an effort; `equal`: without importance, where llama.cpp is quicker, too. */
export type ChooseSearch = (effort: Effort, equal: boolean) => SuperSearch;

/** A block's result. */
export interface SuperBlock {
  /** f16 bits. */
  readonly d: number;
  readonly dmin: number;
  /** Integers of each sub-block. */
  readonly scales: readonly number[];
  readonly mins: readonly number[];
  /** Codes [256]. */
  readonly codes: Uint8Array;
}

/** Integers of a sub-block and the error with them. */
interface Integers {
  readonly error: number;
  readonly scale: number;
  readonly min: number;
}

interface Trial {
  readonly error: number;
  /** Error of each sub-block. */
  readonly errors: readonly number[];
  readonly d: number;
  readonly dmin: number;
  readonly scales: readonly number[];
  readonly mins: readonly number[];
}

/** f16 bits of a factor, never infinite; a positive one never becomes 0. */
export function factorBits(value: number): number {
  const h = f32ToF16(Math.min(Math.max(value, -MAX_F16), MAX_F16));
  return value > 0 && h === 0 ? 1 : h;
}

function rounded(value: number): number {
  return value > 0 ? f16ToF32(factorBits(value)) : 0;
}

/** The search of one block, negated or not; `best` keeps the error `limit` where no first guess is under it. */
class SuperBlockSearch {
  readonly #block: Block;
  readonly #shape: SuperShape;
  readonly #ideal: readonly Fit[];
  best: Trial;

  constructor(block: Block, shape: SuperShape, search: SuperSearch, limit: number) {
    this.#block = block;
    this.#shape = shape;
    this.best = { error: limit, errors: [], d: 0, dmin: 0, scales: [], mins: [] };
    this.#ideal = ladder(0, 1, shape.subBlocks).map((sub) =>
      searchSubBlock(block, shape, sub, search.starts),
    );
    const d = Math.max(...this.#ideal.map(({ s }) => s)) / shape.maxScale;
    const dmin = Math.max(...this.#ideal.map(({ m }) => m)) / shape.maxScale;
    for (const fd of search.factors) for (const fm of search.factors) this.#try(d * fd, dmin * fm, 0);
    if (this.best.error === limit) return;
    for (let i = 0; i < search.refits; i++) if (!this.#refit(search.reach)) break;
    this.#polish();
  }

  #keep(d: number, dmin: number, found: readonly Integers[]): void {
    this.best = {
      error: found.reduce((sum, f) => sum + f.error, 0),
      errors: found.map((f) => f.error),
      d,
      dmin,
      scales: found.map((f) => f.scale),
      mins: found.map((f) => f.min),
    };
  }

  /** Tries factors, rounded to f16; true if they are the best so far. */
  #try(exactD: number, exactDmin: number, reach: number): boolean {
    const d = rounded(exactD);
    const dmin = rounded(exactDmin);
    const found = this.#ideal.map((fit, sub) => this.#searchIntegers(fit, sub, d, dmin, reach));
    const error = found.reduce((sum, f) => sum + f.error, 0);
    if (!(error < this.best.error)) return false;
    this.#keep(d, dmin, found);
    return true;
  }

  /**
   * Best integers of sub-block `sub`. Scales: two around the ideal, or `2 * reach`; mins: two (reach 0) or four
   * around the one that suits the scale.
   */
  #searchIntegers({ s, sums }: Fit, sub: number, d: number, dmin: number, reach: number): Integers {
    const { maxScale } = this.#shape;
    const clamp = (v: number) => Math.min(Math.max(v, 0), maxScale);
    const middle = d > 0 ? Math.floor(s / d) : 0;
    const scales = reach === 0 ? [0, 1] : ladder(1 - reach, 1, 2 * reach);
    const steps = reach === 0 ? [0, 1] : [-1, 0, 1, 2];
    let best = { error: Number.POSITIVE_INFINITY, scale: 0, min: 0 };
    for (const scale of scales.map((step) => clamp(middle + step))) {
      const ideal = dmin > 0 ? (d * scale * sums.wq - sums.wx) / sums.w / dmin : 0;
      for (const min of steps.map((step) => clamp(Math.floor(ideal) + step))) {
        const error = errorOf(this.#block, this.#shape, sub, d * scale, dmin * min);
        if (error < best.error) best = { error, scale, min };
      }
    }
    return best;
  }

  /** Tries the least-squares d and dmin for the best integers and their codes; true if better. */
  #refit(reach: number): boolean {
    const { d, dmin, scales, mins } = this.best;
    const t = { ss: 0, sm: 0, mm: 0, sx: 0, mx: 0 };
    scales.forEach((s, sub) => {
      const m = mins[sub];
      const sums = sumsOf(this.#block, this.#shape, sub, d * s, dmin * m);
      t.ss += s * s * sums.qq;
      t.sm += s * m * sums.wq;
      t.mm += m * m * sums.w;
      t.sx += s * sums.xq;
      t.mx += m * sums.wx;
    });
    const det = t.ss * t.mm - t.sm * t.sm;
    const fitted = (t.sm * t.sx - t.ss * t.mx) / det;
    if (det > 1e-9 * t.ss * t.mm && fitted > 0) {
      return this.#try((t.sx * t.mm - t.sm * t.mx) / det, fitted, reach);
    }
    if (t.ss === 0) return t.mm > 0 && this.#try(0, -t.mx / t.mm, reach);
    return this.#try(t.sx / t.ss, 0, reach);
  }

  /** Searches widely where one sub-block has `LOUD` times its share of the error, for it then decides. */
  #polish(): void {
    const { error, errors, d, dmin, scales, mins } = this.best;
    const loud = (LOUD * error) / this.#shape.subBlocks;
    const found = errors.map((before, sub) => {
      const kept = { error: before, scale: scales[sub], min: mins[sub] };
      if (before < loud) return kept;
      const wide = this.#searchIntegers(this.#ideal[sub], sub, d, dmin, WIDE);
      return wide.error < before ? wide : kept;
    });
    this.#keep(d, dmin, found);
  }

  /** Nearest codes of all sub-blocks. */
  codes(): Uint8Array {
    const { subSize, maxCode } = this.#shape;
    const { d, dmin, scales, mins } = this.best;
    return Uint8Array.from(this.#block.x, (x, i) => {
      const sub = Math.floor(i / subSize);
      return nearestCode(x, d * scales[sub], dmin * mins[sub], maxCode);
    });
  }
}

/** True if the sub-blocks lie off zero more on the positive side, where no min can reach, than on the negative. */
function leansPositive(block: Block, shape: SuperShape): boolean {
  let lean = 0;
  for (let sub = 0; sub < shape.subBlocks; sub++) {
    const { low, high } = rangeOf(block, shape, sub);
    lean += Math.max(low, 0) + Math.min(high, 0);
  }
  return lean > 0;
}

/** Searches one block of 256 weights. */
function searchSuperBlock(block: Block, shape: SuperShape, search: SuperSearch): SuperBlock {
  const negated = { x: block.x.map((v) => -v), w: block.w };
  const turned = leansPositive(block, shape);
  let found = new SuperBlockSearch(turned ? negated : block, shape, search, Number.POSITIVE_INFINITY);
  let sign = turned ? 0x8000 : 0;
  if (search.bothSigns) {
    const limit = SECOND_CHANCE * found.best.error;
    const other = new SuperBlockSearch(turned ? block : negated, shape, search, limit);
    if (other.best.error < found.best.error) {
      found = other;
      sign ^= 0x8000;
    }
  }
  const { d, dmin, scales, mins } = found.best;
  return {
    d: d > 0 ? factorBits(d) | sign : 0,
    dmin: dmin > 0 ? factorBits(dmin) | sign : 0,
    scales,
    mins,
    codes: found.codes(),
  };
}

/**
 * A row encoder of a super-block format.
 * @param pack writes a block's result to the zeroed `blockBytes` bytes of `dst` from `at` on.
 */
export function superEncoder(
  shape: SuperShape,
  choose: ChooseSearch,
  blockBytes: number,
  pack: (block: SuperBlock, dst: Uint8Array, at: number) => void,
): RowEncoder {
  return (src, dst, importance, effort) => {
    dst.fill(0);
    const search = choose(effort, importance === null);
    for (let from = 0, at = 0; from < src.length; from += 256, at += blockBytes) {
      const block = loadBlock(src, importance, from, 256);
      if (block.x.every((v) => v === 0)) continue;
      pack(searchSuperBlock(block, shape, search), dst, at);
    }
  };
}

/** The `fast` search of six-bit formats; this and the searches below stand in affine.kernel.as.ts, too. */
const NARROW: SuperSearch = {
  starts: { lows: ladder(-1, 0.75, 4), highs: ladder(-1, 0.75, 4), fits: 2 },
  factors: [1],
  refits: 1,
  reach: 1,
  bothSigns: false,
};

/** Factors 1 +- `step`, +- 2 `step`… */
export function around(count: number, step: number): number[] {
  return ladder(1 - Math.floor(count / 2) * step, step, count);
}

/** Search of a format with 6-bit integers; first guesses of each factor for `best`, with and without importance. */
export function sixBitSearch(guesses: number, guessesIfEqual: number): ChooseSearch {
  const starts = { lows: ladder(-1, 0.5, 8), highs: ladder(-1, 0.5, 8), fits: 2 };
  const thorough = { starts, refits: 4, reach: 2, bothSigns: true };
  return (effort, equal) =>
    effort === 'fast' ? NARROW : { ...thorough, factors: around(equal ? guessesIfEqual : guesses, 0.015) };
}

/** Search of the format with 4-bit integers. */
export const fourBitSearch: ChooseSearch = (effort) => {
  const starts = { lows: ladder(-0.6, 0.4, 4), highs: ladder(-0.6, 0.4, 4), fits: 2 };
  if (effort === 'fast') return { ...NARROW, starts };
  return { starts, factors: around(3, 0.05), refits: 4, reach: 2, bothSigns: true };
};
