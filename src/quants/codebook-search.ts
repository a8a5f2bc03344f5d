/**
 * Encoding of the codebook formats IQ2_* and IQ3_* in plain TypeScript: the definition that the kernel
 * (codebook.kernel.as.ts) follows, and its oracle. Every grid point is tried for every group.
 *
 * A group is as many weights as a grid point has components; some groups share a 4-bit scale code S, a block of 256
 * shares d: weight = d * unit * (2 S + 1) * component. At scale `s` a point lowers a group's weighted squared error by
 * `2 s A - s^2 B`, with `A = sum w |x| g` and `B = sum w g^2`: a line to remember. A few scales per sub-block are
 * searched; d and the scale codes are chosen on the lower envelope of the lines found; then points are searched anew
 * at these scales, d is fitted by least squares and rounded to f16, and so on.
 */
import { f16ToF32, f32ToF16, MAX_F16 } from '../core/index.ts';
import type { Codebook } from './codebooks.ts';
import { type Effort, type RowEncoder, viewOf } from './format.ts';
import { IMPORTANCE_FLOOR, NO_IMPORTANCE, NOTHING } from './tuning.as.ts';

export interface CodebookShape {
  readonly book: () => Codebook;
  /** Number of minus signs: free, or even in every group, or even in every pair of neighbouring groups. */
  readonly signs: 'free' | 'group' | 'pair';
  readonly groupsPerScale: number;
  readonly unit: number;
  /** Best scale over `guessScale`'s mean of moments, roughly; measured. */
  readonly center: number;
  readonly blockBytes: number;
  /** Writes all of a block but d, which stands in its first two bytes. */
  readonly pack: (view: DataView, at: number, block: CodebookBlock) => void;
}

/** A block as chosen, before its layout. */
export interface CodebookBlock {
  /** Grid point of each group. */
  readonly points: Uint16Array;
  /** Minus signs of each group, bit k for component k. */
  readonly signs: Uint8Array;
  /** 4-bit scale code of each sub-block. */
  readonly scales: Uint8Array;
}

/** A point chosen for a group, with the component whose sign is flipped (-1: none). */
interface Choice {
  readonly point: number;
  readonly flip: number;
  readonly a: number;
  readonly b: number;
}

/** Magnitudes, weights and natural minus signs of a block. */
interface BlockInput {
  readonly x: Float64Array;
  readonly w: Float64Array;
  readonly minus: Uint8Array;
}

interface Stage {
  /** Scales to search, relative to the guess, by dimension: the more levels, the more local optima. */
  readonly starts: Readonly<Record<4 | 8, readonly number[]>>;
  /** Scales to search then, relative to the best fit so far. */
  readonly refinements: readonly number[];
  /** Fractions of the d that puts the largest scale at code 15: how many, from, to. */
  readonly steps: readonly [count: number, from: number, to: number];
  /** Scale codes tried on either side of the two next to the fitted scale. */
  readonly reach: number;
  /** Searches at the scales chosen. */
  readonly rounds: number;
}

const QUICK: Stage = {
  starts: { 4: [0.84, 1, 1.18], 8: [0.88, 1.12] },
  refinements: [],
  steps: [8, 0.8, 1.1],
  reach: 0,
  rounds: 1,
};

const MORE_STARTS = [0.55, 0.65, 0.76, 1, 1.33, 1.55, 1.9];

const THOROUGH: Stage = {
  starts: { 4: MORE_STARTS, 8: MORE_STARTS },
  refinements: [0.9, 0.96, 1.04, 1.1],
  steps: [16, 0.75, 1.15],
  reach: 1,
  rounds: 2,
};

/** The same stages stand in codebook-block.as.ts. The best effort begins with the fast one: it is never worse. */
const STAGES: Readonly<Record<Effort, readonly Stage[]>> = { fast: [QUICK], best: [QUICK, THOROUGH] };

function usable(importance: Float32Array | null): number {
  if (!importance) return 0;
  let most = 0;
  for (const v of importance) {
    if (!(v >= 0 && v < Number.POSITIVE_INFINITY)) return 0;
    most = Math.max(most, v);
  }
  return most > NO_IMPORTANCE ? most : 0;
}

function readBlock(src: Float32Array, importance: Float32Array | null, dimension: number): BlockInput {
  const heaviest = usable(importance);
  const x = Float64Array.from(src, (v) => (Number.isNaN(v) ? 0 : Math.min(Math.abs(v), 3.4e38)));
  const w = Float64Array.from(src, (_, i) =>
    importance && heaviest > 0 ? Math.max(importance[i] / heaviest, IMPORTANCE_FLOOR) : 1,
  );
  const minus = new Uint8Array(src.length / dimension);
  src.forEach((v, i) => {
    if (v < 0) minus[Math.floor(i / dimension)] |= 1 << (i % dimension);
  });
  return { x, w, minus };
}

function isOdd(mask: number): boolean {
  let odd = false;
  for (let m = mask; m !== 0; m >>= 1) odd = odd !== ((m & 1) === 1);
  return odd;
}

/** The point of least error for the group at weight `at` and scale `s`, with one sign flipped or none. */
function bestPoint(book: Codebook, { x, w }: BlockInput, at: number, s: number, flipped: boolean): Choice {
  let best: Choice = { point: 0, flip: -1, a: 0, b: 0 };
  let least = Number.POSITIVE_INFINITY;
  const n = book.dimension;
  for (let point = 0; point < book.count; point++) {
    let a = 0;
    let b = 0;
    let cheapest = Number.POSITIVE_INFINITY;
    let flip = -1;
    for (let k = 0; k < n; k++) {
      const g = book.values[point * n + k];
      const product = w[at + k] * x[at + k] * g;
      a += product;
      b += w[at + k] * g * g;
      if (flipped && product < cheapest) {
        cheapest = product;
        flip = k;
      }
    }
    if (flipped) a -= 2 * cheapest;
    const error = s * (s * b - 2 * a);
    if (error < least) {
      least = error;
      best = { point, flip, a, b };
    }
  }
  return best;
}

function errorOf({ a, b }: Choice, s: number): number {
  return s * (s * b - 2 * a);
}

/** Choices for two neighbouring groups whose minus signs must be even together. */
function bestPair(book: Codebook, input: BlockInput, at: number, s: number): Choice[] {
  const group = at / book.dimension;
  const at2 = at + book.dimension;
  const plain = [bestPoint(book, input, at, s, false), bestPoint(book, input, at2, s, false)];
  if (isOdd(input.minus[group]) === isOdd(input.minus[group + 1])) return plain;
  const first = [bestPoint(book, input, at, s, true), plain[1]];
  const second = [plain[0], bestPoint(book, input, at2, s, true)];
  const total = (pair: Choice[]) => errorOf(pair[0], s) + errorOf(pair[1], s);
  return total(first) < total(second) ? first : second;
}

/** Sub-block `sub` searched at scale `s`: a choice for each of its groups. */
function searchSub(shape: CodebookShape, input: BlockInput, sub: number, s: number): Choice[] {
  const book = shape.book();
  const n = book.dimension;
  const choices: Choice[] = [];
  for (let g = 0; g < shape.groupsPerScale; ) {
    const at = (sub * shape.groupsPerScale + g) * n;
    if (shape.signs === 'pair') choices.push(...bestPair(book, input, at, s));
    else {
      const flipped = shape.signs === 'group' && isOdd(input.minus[at / n]);
      choices.push(bestPoint(book, input, at, s, flipped));
    }
    g = choices.length;
  }
  return choices;
}

/**
 * First guess of a sub-block's scale: `center * m2^(1/4) * m8^(3/4)`, weighted moments `m_p = mean(|x|^p)^(1/p)`.
 * Exponents from a regression of the best scales on several moments, over synthetic and trained weights.
 */
function guessScale(center: number, { x, w }: BlockInput, from: number, to: number): number {
  let total = 0;
  let most = 0;
  for (let i = from; i < to; i++) {
    total += w[i];
    most = Math.max(most, x[i]);
  }
  if (most === 0) return 0;
  let sum2 = 0;
  let sum8 = 0;
  for (let i = from; i < to; i++) {
    sum2 += (w[i] * (x[i] / most) ** 2) / total;
    sum8 += (w[i] * (x[i] / most) ** 8) / total;
  }
  return center * most * sum2 ** (1 / 8) * sum8 ** (3 / 32);
}

/** Lines found for a sub-block, and the scale that fits the best set of them. */
interface SubLines {
  readonly tried: Choice[][];
  readonly guess: number;
  fitted: number;
  score: number;
}

function addLines(lines: SubLines, choices: Choice[]): void {
  lines.tried.push(choices);
  let a = 0;
  let b = 0;
  for (const choice of choices) {
    a += choice.a;
    b += choice.b;
  }
  if ((a * a) / b > lines.score) {
    lines.score = (a * a) / b;
    lines.fitted = a / b;
  }
}

/**
 * Error change of a sub-block at scale `s`, each group on the best line found for it.
 * @param together groups whose lines come from one search together or not at all: pairs that share a parity.
 */
function envelope({ tried }: SubLines, s: number, together: 1 | 2): number {
  let total = 0;
  for (let g = 0; g < tried[0].length; g += together) {
    const errors = tried.map(
      (choices) => errorOf(choices[g], s) + (together === 2 ? errorOf(choices[g + 1], s) : 0),
    );
    total += Math.min(...errors);
  }
  return total;
}

interface CodeChoice {
  readonly code: number;
  readonly error: number;
}

/** The best scale code near the fitted scale for `step` = d * unit. */
function chooseCode(shape: CodebookShape, lines: SubLines, step: number, reach: number): CodeChoice {
  const near = Math.floor((lines.fitted / step - 1) / 2) - reach;
  const from = Math.min(14 - 2 * reach, Math.max(0, near));
  let best: CodeChoice = { code: from, error: Number.POSITIVE_INFINITY };
  for (let code = from; code < from + 2 * reach + 2; code++) {
    const error = envelope(lines, step * (2 * code + 1), shape.signs === 'pair' ? 2 : 1);
    if (error < best.error) best = { code, error };
  }
  return best;
}

function chooseStep(shape: CodebookShape, subs: readonly SubLines[], stage: Stage): number {
  const [count, from, to] = stage.steps;
  const most = Math.max(...subs.map(({ fitted }) => fitted));
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const step = (most / 31) * (from + ((to - from) * i) / (count - 1));
    const error = subs.reduce((total, lines) => total + chooseCode(shape, lines, step, stage.reach).error, 0);
    if (error < least) {
      least = error;
      best = step;
    }
  }
  return best;
}

/** Least-squares step for choices at their codes. */
function fitStep(choices: readonly Choice[][], codes: Uint8Array): number {
  let num = 0;
  let den = 0;
  choices.forEach((sub, j) => {
    const m = 2 * codes[j] + 1;
    for (const { a, b } of sub) {
      num += m * a;
      den += m * m * b;
    }
  });
  return den > 0 ? num / den : 0;
}

/** No lines yet, and the guessed scale, for each sub-block. */
function guessScales(shape: CodebookShape, input: BlockInput): SubLines[] {
  const size = shape.groupsPerScale * shape.book().dimension;
  return Array.from({ length: 256 / size }, (_, j) => {
    const guess = guessScale(shape.center, input, j * size, (j + 1) * size);
    return { tried: [], guess, fitted: guess, score: -1 };
  });
}

function collectLines(shape: CodebookShape, input: BlockInput, stage: Stage, subs: SubLines[]): void {
  subs.forEach((lines, j) => {
    for (const factor of stage.starts[shape.book().dimension]) {
      addLines(lines, searchSub(shape, input, j, factor * lines.guess));
    }
    for (const factor of stage.refinements) {
      addLines(lines, searchSub(shape, input, j, factor * lines.fitted));
    }
  });
}

function toBlock(choices: readonly Choice[][], codes: Uint8Array, minus: Uint8Array): CodebookBlock {
  const flat = choices.flat();
  return {
    points: Uint16Array.from(flat, ({ point }) => point),
    signs: Uint8Array.from(flat, ({ flip }, g) => minus[g] ^ (flip < 0 ? 0 : 1 << flip)),
    scales: codes,
  };
}

/** f16 bits of the d for a step: finite, not zero. */
function roundD(shape: CodebookShape, step: number): number {
  return Math.max(1, f32ToF16(Math.max(0, Math.min(step / shape.unit, MAX_F16))));
}

/** Error change of a block at a step. */
function totalError(choices: readonly Choice[][], codes: Uint8Array, step: number): number {
  return choices.reduce((total, sub, j) => {
    const s = step * (2 * codes[j] + 1);
    return total + sub.reduce((sum, choice) => sum + errorOf(choice, s), 0);
  }, 0);
}

interface EncodedBlock {
  /** f16 bits. */
  readonly d: number;
  readonly block: CodebookBlock;
  /** Change of the weighted squared error against a block of zeros. */
  readonly error: number;
}

/**
 * Chooses d and scale codes on the lines found so far, searches there, fits d.
 * @returns the outcomes with their error changes.
 */
function settle(
  shape: CodebookShape,
  input: BlockInput,
  stage: Stage,
  subs: readonly SubLines[],
): EncodedBlock[] {
  const outcomes: EncodedBlock[] = [];
  let step = chooseStep(shape, subs, stage);
  for (let round = 0; round < stage.rounds; round++) {
    const d = roundD(shape, step);
    const rounded = f16ToF32(d) * shape.unit;
    const codes = Uint8Array.from(subs, (lines) => chooseCode(shape, lines, rounded, stage.reach).code);
    const choices = subs.map((_, j) => searchSub(shape, input, j, rounded * (2 * codes[j] + 1)));
    step = fitStep(choices, codes);
    const block = toBlock(choices, codes, input.minus);
    for (const bits of [d, roundD(shape, step)]) {
      outcomes.push({ d: bits, block, error: totalError(choices, codes, f16ToF32(bits) * shape.unit) });
    }
    choices.forEach((sub, j) => {
      addLines(subs[j], sub);
    });
  }
  return outcomes;
}

/** The block; undefined where zeros are best. */
function encodeBlock(
  shape: CodebookShape,
  input: BlockInput,
  stages: readonly Stage[],
): EncodedBlock | undefined {
  if (!input.x.some((x) => x >= NOTHING)) return undefined;
  const subs = guessScales(shape, input);
  let best: EncodedBlock | undefined;
  for (const stage of stages) {
    collectLines(shape, input, stage, subs);
    for (const outcome of settle(shape, input, stage, subs)) {
      if (outcome.error < (best?.error ?? 0)) best = outcome;
    }
  }
  return best;
}

/** The row encoder of a codebook format. Never writes a NaN or infinite d, whatever the input. */
export function codebookEncoder(shape: CodebookShape): RowEncoder {
  return (src, dst, importance, effort) => {
    const view = viewOf(dst);
    for (let at = 0, out = 0; at < src.length; at += 256, out += shape.blockBytes) {
      const weights = importance?.subarray(at, at + 256) ?? null;
      const input = readBlock(src.subarray(at, at + 256), weights, shape.book().dimension);
      const found = encodeBlock(shape, input, STAGES[effort]);
      dst.fill(0, out, out + shape.blockBytes);
      if (!found) continue;
      view.setUint16(out, found.d, true);
      shape.pack(view, out, found.block);
    }
  };
}
