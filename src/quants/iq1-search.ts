/**
 * How IQ1_S and IQ1_M pick their codes: the definition of the search and the oracle of its kernel, written to
 * be read. A weight decodes to `d m (g + shift)` with m odd, 1..15, for each sub-block, g ternary, shift +-1/8.
 *
 * 1. Each sub-block tries a few scales around the best one for free ternary codes. With fixed codes y its error
 *    at scale s is `C - 2 s A + s^2 B` with A = sum w x y, B = sum w y^2: a parabola for each trial.
 * 2. d is the one whose best multiples m, judged by these parabolas, leave the least error.
 * 3. Codes, multiples and d are then refined in turns: nearest points at the true scales, least squares for d.
 * All this is done for the weights and for their opposites: a third of the grid's points has no mirror image, so
 * a negative d offers other points, which is worth 1.5 % of the error.
 */
import { f16ToF32, f32ToF16, MAX_F16 } from '../core/index.ts';
import { iq1Grid } from './codebooks.ts';
import type { Effort } from './format.ts';
import { nearestPoint, POINT_SIZE } from './iq1-points.ts';
import { COARSE, D_FIRST, D_LAST, IMPORTANCE_FLOOR, NOTHING } from './tuning.as.ts';

const BLOCK = 256;
const SHIFT = 0.125;

/** What IQ1_S and IQ1_M differ in. */
export interface Iq1Layout {
  /** Points of a sub-block, which shares a multiple m. */
  readonly points: 4 | 2;
  /** Consecutive points that share a shift. */
  readonly pointsAShift: 4 | 1;
}

/** The codes of a block. */
export interface Iq1Codes {
  /** f16 bits. */
  d: number;
  /** (m - 1) / 2 of each sub-block: 0..7. */
  readonly multiples: Uint8Array;
  /** Grid point of every 8 weights. */
  readonly points: Uint16Array;
  /** 1 where the shift of these 8 weights is -1/8. */
  readonly shifts: Uint8Array;
}

interface Tuning {
  /** Scales tried for each sub-block, in units of the best one for free ternary codes. */
  readonly trials: readonly number[];
  /** Number of d tried. */
  readonly steps: number;
  /** Multiples tried on each side of the one found last, when codes are chosen anew. */
  readonly around: number;
  readonly rounds: number;
  /** Whether d of both signs are refined, or only the better one by the parabolas. */
  readonly refineBoth: boolean;
}

/** Stands in `configure` of iq1-search.as.ts, too. */
const TUNING: Readonly<Record<Effort, Tuning>> = {
  fast: { trials: [0.88, 1.04], steps: 20, around: 0, rounds: 1, refineBoth: false },
  best: { trials: [0.85, 0.96, 1.08], steps: 64, around: 1, rounds: 3, refineBoth: true },
};

/** Scales tried for free ternary codes, in units of the root mean square of a sub-block; as in iq1-block.as.ts. */
const FREE_SCALES = [0.9, 1.15, 1.5, 2, 2.8, 4];

/** State of the search in one block: `subs` sub-blocks of `size` weights, `trials` parabolas each. */
class BlockSearch {
  /** Weights and importance of the loaded block. */
  readonly x = new Float64Array(BLOCK);
  readonly w = new Float64Array(BLOCK);
  readonly #linear = new Float64Array(BLOCK);
  readonly #size: number;
  readonly #subs: number;
  readonly #unit: number;
  readonly #tuning: Tuning;
  /** A and B of each sub-block's trials. */
  readonly #lines: { a: number; b: number }[][];

  constructor(layout: Iq1Layout, tuning: Tuning) {
    this.#size = layout.points * POINT_SIZE;
    this.#subs = BLOCK / this.#size;
    this.#unit = layout.pointsAShift * POINT_SIZE;
    this.#tuning = tuning;
    this.#lines = Array.from({ length: this.#subs }, () => []);
  }

  /** Loads a block with its largest magnitude in [1, 2). @returns the power of two divided by; 0: all zero. */
  load(src: Float32Array, at: number, importance: Float32Array | null): number {
    let largest = 0;
    for (let i = 0; i < BLOCK; i++) {
      const value = src[at + i];
      this.x[i] = Number.isFinite(value) ? value : 0;
      largest = Math.max(largest, Math.abs(this.x[i]));
    }
    if (largest < NOTHING) return 0;
    const unit = 2 ** Math.floor(Math.log2(largest));
    for (let i = 0; i < BLOCK; i++) this.x[i] /= unit;
    this.#loadImportance(importance, at);
    return unit;
  }

  #loadImportance(importance: Float32Array | null, at: number): void {
    let heaviest = 0;
    let valid = importance !== null;
    for (let i = 0; importance && i < BLOCK; i++) {
      heaviest = Math.max(heaviest, importance[at + i]);
      valid &&= importance[at + i] >= 0;
    }
    valid &&= heaviest > 0 && Number.isFinite(heaviest);
    for (let i = 0; i < BLOCK; i++) {
      this.w[i] = importance && valid ? Math.max(importance[at + i] / heaviest, IMPORTANCE_FLOOR) : 1;
    }
  }

  /** The least-squares scale of a sub-block where every ternary code is allowed. */
  #freeScale(sub: number): number {
    const from = sub * this.#size;
    let xx = 0;
    let ww = 0;
    for (let i = from; i < from + this.#size; i++) {
      xx += this.w[i] * this.x[i] ** 2;
      ww += this.w[i];
    }
    const rms = Math.sqrt(xx / ww);
    let best = Number.POSITIVE_INFINITY;
    let scale = 0;
    for (const factor of rms > 0 ? FREE_SCALES : []) {
      const tried = rms * factor;
      const { a, b } = this.#freeCodes(from, tried);
      const error = tried * (tried * b - 2 * a);
      if (error < best) {
        best = error;
        scale = Math.max(0, a / b);
      }
    }
    return scale;
  }

  #freeCodes(from: number, scale: number): { a: number; b: number } {
    const sums = { a: 0, b: 0 };
    for (let unit = from; unit < from + this.#size; unit += this.#unit) {
      const minus = this.#freeUnit(unit, scale, -SHIFT);
      const plus = this.#freeUnit(unit, scale, SHIFT);
      const chosen = scale * minus.b - 2 * minus.a < scale * plus.b - 2 * plus.a ? minus : plus;
      sums.a += chosen.a;
      sums.b += chosen.b;
    }
    return sums;
  }

  #freeUnit(from: number, scale: number, shift: number): { a: number; b: number } {
    let a = 0;
    let b = 0;
    for (let i = from; i < from + this.#unit; i++) {
      const y = Math.max(-1, Math.min(1, Math.round(this.x[i] / scale - shift))) + shift;
      a += this.w[i] * this.x[i] * y;
      b += this.w[i] * y * y;
    }
    return { a, b };
  }

  /** Chooses the points and shifts of a sub-block at a scale into `codes`. @returns their A and B. */
  #choose(codes: Iq1Codes, sub: number, scale: number): { a: number; b: number } {
    const from = sub * this.#size;
    const sums = { a: 0, b: 0 };
    for (let unit = from; unit < from + this.#size; unit += this.#unit) {
      const minus = this.#chooseUnit(unit, scale, -SHIFT);
      const plus = this.#chooseUnit(unit, scale, SHIFT);
      const negative = scale * minus.b - 2 * minus.a < scale * plus.b - 2 * plus.a;
      const chosen = negative ? minus : plus;
      chosen.points.forEach((point, k) => {
        codes.points[unit / POINT_SIZE + k] = point;
        codes.shifts[unit / POINT_SIZE + k] = negative ? 1 : 0;
      });
      sums.a += chosen.a;
      sums.b += chosen.b;
    }
    return sums;
  }

  #chooseUnit(from: number, scale: number, shift: number): { a: number; b: number; points: number[] } {
    const grid = iq1Grid().values;
    const result = { a: 0, b: 0, points: [] as number[] };
    for (let at = from; at < from + this.#unit; at += POINT_SIZE) {
      for (let i = at; i < at + POINT_SIZE; i++) {
        this.#linear[i] = 2 * this.w[i] * (this.x[i] / scale - shift);
      }
      const { point } = nearestPoint(this.#linear, this.w, at);
      for (let k = 0; k < POINT_SIZE; k++) {
        const y = grid[POINT_SIZE * point + k] + shift;
        result.a += this.w[at + k] * this.x[at + k] * y;
        result.b += this.w[at + k] * y * y;
      }
      result.points.push(point);
    }
    return result;
  }

  /** Fills the parabolas. @param scales the free scale of each sub-block. */
  #fillLines(codes: Iq1Codes, scales: readonly number[]): void {
    scales.forEach((scale, sub) => {
      this.#lines[sub] =
        scale > 0 ? this.#tuning.trials.map((factor) => this.#choose(codes, sub, scale * factor)) : [];
    });
  }

  /** Best multiples for d by the parabolas, into `codes`. @returns error (less a constant) and refitted d. */
  #fitMultiples(codes: Iq1Codes, d: number): { error: number; d: number } {
    let error = 0;
    let ma = 0;
    let mmb = 0;
    this.#lines.forEach((lines, sub) => {
      let best = Number.POSITIVE_INFINITY;
      let [bestA, bestB] = [0, 0];
      for (let m = 1; m <= 15; m += 2) {
        for (const { a, b } of lines) {
          const cost = d * m * (d * m * b - 2 * a);
          if (cost < best) {
            best = cost;
            codes.multiples[sub] = m >> 1;
            bestA = m * a;
            bestB = m * m * b;
          }
        }
      }
      if (lines.length > 0) error += best;
      ma += bestA;
      mmb += bestB;
    });
    return { error, d: mmb > 0 ? ma / mmb : 0 };
  }

  /** The d of least error by the parabolas, refitted, with its multiples in `codes`. */
  #searchD(codes: Iq1Codes, scales: readonly number[]): { error: number; d: number } {
    this.#fillLines(codes, scales);
    const first = Math.max(...scales) * D_FIRST;
    const ratio = (D_LAST / D_FIRST) ** (1 / (this.#tuning.steps - 1));
    let best = { error: 0, d: 0 };
    for (let step = 0; step < this.#tuning.steps; step++) {
      const fit = this.#fitMultiples(codes, first * ratio ** step);
      if (fit.error < best.error) best = fit;
    }
    return { error: this.#fitMultiples(codes, best.d).error, d: best.d };
  }

  /** New codes for every sub-block at d. @returns sums of m A and m^2 B. */
  #assign(codes: Iq1Codes, d: number): { ma: number; mmb: number } {
    const sums = { ma: 0, mmb: 0 };
    const { around } = this.#tuning;
    const trial = copyCodes(codes);
    for (let sub = 0; sub < this.#subs; sub++) {
      const middle = codes.multiples[sub];
      let best = Number.POSITIVE_INFINITY;
      let [ma, mmb] = [0, 0];
      for (let k = Math.max(0, middle - around); k <= Math.min(7, middle + around); k++) {
        const m = 2 * k + 1;
        const { a, b } = this.#choose(trial, sub, d * m);
        const cost = d * m * (d * m * b - 2 * a);
        if (cost >= best) continue;
        best = cost;
        [ma, mmb] = [m * a, m * m * b];
        codes.multiples[sub] = k;
        const [from, to] = [(sub * this.#size) / POINT_SIZE, ((sub + 1) * this.#size) / POINT_SIZE];
        codes.points.set(trial.points.subarray(from, to), from);
        codes.shifts.set(trial.shifts.subarray(from, to), from);
      }
      sums.ma += ma;
      sums.mmb += mmb;
    }
    return sums;
  }

  /** Codes, multiples and d refined in turns from `codes` and `d` on. @returns the best, with their error. */
  #refine(codes: Iq1Codes, d: number, unit: number): { error: number; codes: Iq1Codes } {
    let best = { error: 0, codes: emptyCodes(this.#subs) };
    let current = d;
    for (let round = 0; round < this.#tuning.rounds; round++) {
      const bits = halfBits(current * unit);
      const start = f16ToF32(bits) / unit;
      if (bits < COARSE) this.#fitMultiples(codes, start);
      const { ma, mmb } = this.#assign(codes, start);
      current = ma / mmb;
      codes.d = halfBits(current * unit);
      const stored = f16ToF32(codes.d) / unit;
      const error = stored * (stored * mmb - 2 * ma);
      if (error >= best.error) break;
      best = { error, codes: copyCodes(codes) };
    }
    return best;
  }

  #negate(): void {
    for (let i = 0; i < BLOCK; i++) this.x[i] = -this.x[i];
  }

  /** Codes of the loaded block. @param unit what `load` returned. */
  search(unit: number): Iq1Codes {
    const { refineBoth } = this.#tuning;
    const scales = Array.from({ length: this.#subs }, (_, sub) => this.#freeScale(sub));
    const codes = [emptyCodes(this.#subs), emptyCodes(this.#subs)];
    const plus = this.#searchD(codes[0], scales);
    this.#negate();
    const minus = this.#searchD(codes[1], scales);
    const second = refineBoth || minus.error < plus.error ? this.#refine(codes[1], minus.d, unit) : undefined;
    this.#negate();
    const first = refineBoth || !second ? this.#refine(codes[0], plus.d, unit) : undefined;
    if (!second || (first && first.error <= second.error)) return first?.codes ?? emptyCodes(this.#subs);
    second.codes.d |= 0x8000;
    return second.codes;
  }
}

/** f16 bits of a positive scale, neither 0 nor infinite. */
function halfBits(value: number): number {
  return Math.max(1, f32ToF16(Math.min(value, MAX_F16)));
}

function emptyCodes(subs: number): Iq1Codes {
  return {
    d: 0,
    multiples: new Uint8Array(subs),
    points: new Uint16Array(BLOCK / POINT_SIZE),
    shifts: new Uint8Array(BLOCK / POINT_SIZE),
  };
}

function copyCodes(codes: Iq1Codes): Iq1Codes {
  return {
    d: codes.d,
    multiples: codes.multiples.slice(),
    points: codes.points.slice(),
    shifts: codes.shifts.slice(),
  };
}

/**
 * Codes of every block of a row, in order, each handed to `write` with its number.
 * @param src weights, whole blocks. @param importance of each column, or null for equal importance.
 */
export function searchIq1(
  layout: Iq1Layout,
  src: Float32Array,
  importance: Float32Array | null,
  effort: Effort,
  write: (block: number, codes: Iq1Codes) => void,
): void {
  const search = new BlockSearch(layout, TUNING[effort]);
  for (let block = 0; block * BLOCK < src.length; block++) {
    const unit = search.load(src, block * BLOCK, importance);
    write(block, unit === 0 ? emptyCodes(BLOCK / POINT_SIZE / layout.points) : search.search(unit));
  }
}

/** What the kernels need: the packed grid, 2048 u16. */
export function iq1Tables(): Uint8Array {
  return Uint8Array.from(new Uint8Array(iq1Grid().packed.buffer));
}
