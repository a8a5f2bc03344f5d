/**
 * One block of 256 weights in a codebook format: scales, grid points and signs of least weighted squared error.
 *
 * A chunk is 32 weights: four groups of 8 in four lanes, or eight groups of 4. At a scale `s` the search gives each
 * group its best point, i.e. a line: the group's error falls by `2 s A - s^2 B` at any scale, with `A = sum w |x| g`,
 * `B = sum w g^2`. Searching a few scales collects lines whose lower envelope is close to the true one, so that the
 * block scale `d` and the 4-bit scales are chosen on lines alone; then points are searched once more at the scales
 * chosen, `d` is fitted by least squares, rounded to f16, and so on while it helps.
 */
import { f16ToF32, f32ToF16, MAX_F16 } from '../kernels/half.as';
import { buildOctal, buildTernary, searchFlip, searchPlain } from './codebook-tables.as';
import { IMPORTANCE_FLOOR, NO_IMPORTANCE, NOTHING } from './tuning.as';

/** Parity of the minus signs: free, even per group, or even per pair of groups. */
export const FREE = 0;
export const GROUP = 1;
export const PAIR = 2;

/**
 * Scales to search, relative to the guess, then relative to the best fit so far; as in codebook-search.ts. The best
 * effort begins with the fast one's scales, so that it is never worse.
 */
const FAST_STARTS_8 = memory.data<f32>([0.88, 1.12]);
const FAST_STARTS_4 = memory.data<f32>([0.84, 1, 1.18]);
const BEST_STARTS = memory.data<f32>([0.55, 0.65, 0.76, 1, 1.33, 1.55, 1.9]);
const BEST_REFINEMENTS = memory.data<f32>([0.9, 0.96, 1.04, 1.1]);

/** Lines kept per group: one per search. */
const SLOTS = 17;
const WEIGHTS = memory.data(256 * 4, 16);
const PRODUCTS = memory.data(256 * 4, 16); // w |x|
const LANE_X = memory.data(256 * 4, 16); // |x|, a vector per component of four groups
const LANE_W = memory.data(256 * 4, 16);
const LANE_ODD = memory.data(64 * 4, 16); // all ones in lanes of odd sign parity
const LINE_A = memory.data(SLOTS * 64 * 4, 16);
const LINE_B = memory.data(SLOTS * 64 * 4, 16);
const START = memory.data(8 * 16, 16); // per chunk, scale per lane: first guess
const FITTED = memory.data(8 * 16, 16); // best scale so far
const FITTED_SCORE = memory.data(8 * 16, 16);
const MULTIPLIER = memory.data(8 * 16, 16); // 2 S + 1 per lane
const FOUND = memory.data(32, 16);

/** The block as encoded: d as f16 bits, odd multipliers 2 S + 1 per lane, points, flips and signs per group. */
export let blockD: u32 = 0;
export const SIGNS = memory.data(64, 16); // natural minus signs of a group, bit k = component k
export const POINTS = memory.data(64 * 2, 16);
export const FLIPPED = memory.data(64, 16); // 0 or the bit of the flipped sign
export const CHOSEN = memory.data(8 * 16, 16);
const NEW_POINTS = memory.data(64 * 2, 16);
const NEW_FLIPPED = memory.data(64, 16);

let dim: i32 = 8;
let parity: i32 = FREE;
/** Lanes (groups) that share a 4-bit scale: 2, 4, or 8 for both halves of a chunk. */
let sharing: i32 = 4;
/** d * unit * (2 S + 1) * component = weight. */
let unit: f32 = 1;
/** Best scale of a sub-block over the mean of moments in `guessScales`. */
let center: f32 = 1;
let values: usize = 0;
let inverse: usize = 0;
let list: usize = 0;
let levels: usize = 0;

/** Chooses the format for the blocks that follow. @param tables as made by `codebookTables`. */
export function useFormat(
  tables: usize, dimension: i32, parityRule: i32, groupsPerScale: i32, scaleUnit: f32, scaleCenter: f32,
): void {
  dim = dimension;
  parity = parityRule;
  sharing = groupsPerScale;
  unit = scaleUnit;
  center = scaleCenter;
  levels = tables + 16;
  values = tables + <usize>load<u32>(tables);
  inverse = tables + <usize>load<u32>(tables, 4);
  list = tables + <usize>load<u32>(tables, 8);
}

function swapPairs(v: v128): v128 {
  return i32x4.shuffle(v, v, 1, 0, 3, 2);
}

function swapHalves(v: v128): v128 {
  return i32x4.shuffle(v, v, 2, 3, 0, 1);
}

/** Sums over the lanes that share a scale, in each of them. */
function sharedSum(v: v128): v128 {
  const pairs = f32x4.add(v, swapPairs(v));
  return sharing == 2 ? pairs : f32x4.add(pairs, swapHalves(pairs));
}

/** Total over a chunk of a value that `sharedSum` put in every lane. */
function laneTotal(v: v128): f32 {
  return sharing == 2 ? f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 2) : f32x4.extract_lane(v, 0);
}

function sum4(v: v128): f32 {
  const pairs = f32x4.add(v, swapPairs(v));
  return f32x4.extract_lane(f32x4.add(pairs, swapHalves(pairs)), 0);
}

/** Importance of a block is usable: finite, not negative, not all zero. Returns its maximum, else 0. */
function usableMaximum(importance: usize): f32 {
  if (importance == 0) return 0;
  let most: f32 = 0;
  for (let i: usize = 0; i < 1024; i += 4) {
    const v = load<f32>(importance + i);
    if (!(v >= 0 && v < Infinity)) return 0;
    if (v > most) most = v;
  }
  return most > <f32>NO_IMPORTANCE ? most : 0;
}

function finite(x: f32): f32 {
  if (x != x) return 0;
  return min<f32>(max<f32>(x, -f32.MAX_VALUE), f32.MAX_VALUE);
}

/**
 * Loads a block: magnitudes divided by the returned power of two, weights, signs, parities.
 * Returns 0 for a block that is zero in any f16 scale.
 */
function loadBlock(src: usize, importance: usize): f32 {
  let most: f32 = 0;
  for (let i: usize = 0; i < 1024; i += 4) most = max<f32>(most, abs<f32>(finite(load<f32>(src + i))));
  if (most < <f32>NOTHING) return 0;
  const exponent = min<i32>(<i32>(reinterpret<u32>(most) >> 23) - 127, 126);
  const shrink = reinterpret<f32>(<u32>(127 - exponent) << 23);
  const heaviest = usableMaximum(importance);
  const share: f32 = heaviest > 0 ? 1 / heaviest : 0;
  const groups = 256 / dim;
  for (let g = 0; g < groups; g++) {
    let signs: u32 = 0;
    const lane: usize = ((<usize>(g >> 2) * <usize>dim * 4 + <usize>(g & 3)) << 2);
    for (let k = 0; k < dim; k++) {
      const i: usize = <usize>(g * dim + k) << 2;
      const x = finite(load<f32>(src + i)) * shrink;
      const w: f32 = heaviest > 0 ? max<f32>(load<f32>(importance + i) * share, <f32>IMPORTANCE_FLOOR) : 1;
      if (x < 0) signs |= 1 << k;
      const at = lane + (<usize>k << 4);
      store<f32>(LANE_X + at, abs<f32>(x));
      store<f32>(LANE_W + at, w);
      store<f32>(WEIGHTS + i, w);
      store<f32>(PRODUCTS + i, w * abs<f32>(x));
    }
    store<u8>(SIGNS + g, <u8>signs);
    store<u32>(LANE_ODD + (<usize>g << 2), popcnt<u32>(signs) & 1 ? ~0 : 0);
  }
  return reinterpret<f32>(<u32>(127 + exponent) << 23);
}

function sqrtOfSqrt(v: v128): v128 {
  return f32x4.sqrt(f32x4.sqrt(v));
}

/**
 * First guess of each scale: `center * m2^(1/4) * m8^(3/4)`, with the weighted moments `m_p = mean(|x|^p)^(1/p)`.
 * A regression of the best scales on several moments, over synthetic and trained weights, gave these exponents
 * (residual 12 to 16 %): large weights pull the scale up, but less than in proportion.
 */
function guessScales(): void {
  const units = dim == 8 ? 1 : 2;
  const tiny = f32x4.splat(1e-30);
  for (let c = 0; c < 8; c++) {
    let sum2 = f32x4.splat(0);
    let sum8 = sum2;
    let sum = sum2;
    for (let k = 0; k < dim * units; k++) {
      const at: usize = <usize>(c * dim * units + k) << 4;
      const x = v128.load(LANE_X + at);
      const w = v128.load(LANE_W + at);
      const x2 = f32x4.mul(x, x);
      const x4 = f32x4.mul(x2, x2);
      sum2 = f32x4.add(sum2, f32x4.mul(w, x2));
      sum8 = f32x4.add(sum8, f32x4.mul(w, f32x4.mul(x4, x4)));
      sum = f32x4.add(sum, w);
    }
    const share = f32x4.div(f32x4.splat(1), f32x4.add(sharedSum(sum), tiny));
    const rms = f32x4.sqrt(f32x4.mul(sharedSum(sum2), share));
    const m8 = f32x4.pmax(rms, f32x4.sqrt(sqrtOfSqrt(f32x4.mul(sharedSum(sum8), share))));
    const high = f32x4.mul(f32x4.sqrt(m8), sqrtOfSqrt(m8));
    const at: usize = <usize>c << 4;
    v128.store(START + at, f32x4.mul(f32x4.splat(center), f32x4.mul(sqrtOfSqrt(rms), high)));
    v128.store(FITTED + at, v128.load(START + at));
    v128.store(FITTED_SCORE + at, f32x4.splat(-1));
  }
}

/** Records point and flip of group `g` of 8 components and its line in `slot`. */
function keepLine8(g: usize, found: u32, flip: bool, slot: usize): void {
  const point: u32 = load<u16>(inverse + <usize>((((found >> 7) & 127) * 81 + (found & 127)) << 1));
  const grid = values + (<usize>point << 5);
  const at = g << 5;
  const g0 = v128.load(grid);
  const g1 = v128.load(grid, 16);
  const p0 = f32x4.mul(v128.load(PRODUCTS + at), g0);
  const p1 = f32x4.mul(v128.load(PRODUCTS + at, 16), g1);
  const b0 = f32x4.mul(v128.load(WEIGHTS + at), f32x4.mul(g0, g0));
  const b1 = f32x4.mul(v128.load(WEIGHTS + at, 16), f32x4.mul(g1, g1));
  let a = sum4(f32x4.add(p0, p1));
  let flipped: u32 = 0;
  if (flip) {
    let least = f32x4.pmin(p0, p1);
    least = f32x4.pmin(least, swapPairs(least));
    least = f32x4.pmin(least, swapHalves(least));
    const mask = i32x4.bitmask(f32x4.eq(p0, least)) | (i32x4.bitmask(f32x4.eq(p1, least)) << 4);
    flipped = mask & -mask;
    a -= 2 * f32x4.extract_lane(least, 0);
  }
  store<u16>(NEW_POINTS + (g << 1), <u16>point);
  store<u8>(NEW_FLIPPED + g, <u8>flipped);
  store<f32>(LINE_A + slot + (g << 2), a);
  store<f32>(LINE_B + slot + (g << 2), sum4(f32x4.add(b0, b1)));
}

/** Records point and flip of group `g` of 4 components and its line in `slot`. */
function keepLine4(g: usize, found: u32, flip: bool, slot: usize): void {
  const point: u32 = load<u16>(inverse + <usize>((((found >> 7) & 127) * 64 + (found & 127)) << 1));
  const at = g << 4;
  const grid = v128.load(values + (<usize>point << 4));
  const p = f32x4.mul(v128.load(PRODUCTS + at), grid);
  const b = f32x4.mul(v128.load(WEIGHTS + at), f32x4.mul(grid, grid));
  let a = sum4(p);
  let flipped: u32 = 0;
  if (flip) {
    let least = f32x4.pmin(p, swapPairs(p));
    least = f32x4.pmin(least, swapHalves(least));
    const mask = i32x4.bitmask(f32x4.eq(p, least));
    flipped = mask & -mask;
    a -= 2 * f32x4.extract_lane(least, 0);
  }
  store<u16>(NEW_POINTS + (g << 1), <u16>point);
  store<u8>(NEW_FLIPPED + g, <u8>flipped);
  store<f32>(LINE_A + slot + (g << 2), a);
  store<f32>(LINE_B + slot + (g << 2), sum4(b));
}

/** Gives both lanes of a pair the mean of the two: their lines come from one search together or not at all. */
function sharePairs(at: usize): void {
  const v = v128.load(at);
  v128.store(at, f32x4.mul(f32x4.add(v, swapPairs(v)), f32x4.splat(0.5)));
}

/** Searches four groups of 8 at scale `s` per lane. */
function searchUnit8(u: usize, s: v128, slot: usize): void {
  const at = u << 7;
  const odd = v128.load(LANE_ODD + (u << 4));
  const flips = parity != FREE;
  buildTernary(LANE_W + at, LANE_X + at, s, odd, levels, flips, false);
  buildTernary(LANE_W + at + 64, LANE_X + at + 64, s, odd, levels, flips, true);
  v128.store(FOUND, flips ? searchFlip(list, 0) : searchPlain(list));
  for (let lane: usize = 0; lane < 4; lane++) {
    const g = (u << 2) + lane;
    keepLine8(g, load<u32>(FOUND + (lane << 2)), flips && load<u32>(LANE_ODD + (g << 2)) != 0, slot);
  }
}

/** Searches four groups of 4 at scale `s` per lane; two neighbours share a sign parity where there is one. */
function searchUnit4(u: usize, s: v128, slot: usize): void {
  const at = u << 6;
  const all = i32x4.splat(~0);
  const flips = parity != FREE;
  buildOctal(LANE_W + at, LANE_X + at, s, all, levels, flips, false);
  buildOctal(LANE_W + at + 32, LANE_X + at + 32, s, all, levels, flips, true);
  const g = u << 2;
  if (!flips) {
    v128.store(FOUND, searchPlain(list));
    for (let lane: usize = 0; lane < 4; lane++) keepLine4(g + lane, load<u32>(FOUND + (lane << 2)), false, slot);
    return;
  }
  v128.store(FOUND, searchFlip(list, FOUND + 16));
  for (let lane: usize = 0; lane < 4; lane += 2) {
    const flip = FOUND + (lane << 2);
    const uneven = load<u32>(LANE_ODD + ((g + lane) << 2)) != load<u32>(LANE_ODD + ((g + lane) << 2), 4);
    const first = uneven && load<f32>(flip) + load<f32>(flip, 20) < load<f32>(flip, 16) + load<f32>(flip, 4);
    const second = uneven && !first;
    keepLine4(g + lane, first ? load<u32>(flip) : load<u32>(flip, 16), first, slot);
    keepLine4(g + lane + 1, second ? load<u32>(flip, 4) : load<u32>(flip, 20), second, slot);
  }
  sharePairs(LINE_A + slot + (u << 4));
  sharePairs(LINE_B + slot + (u << 4));
}

/** Searches chunk `c` at scale `s` per lane; lines go to `slot`. Keeps the scale fitted to the lines if it is the best. */
function searchChunk(c: usize, s: v128, slot: i32): void {
  const base: usize = <usize>slot << 8;
  let a: v128, b: v128;
  if (dim == 8) {
    searchUnit8(c, s, base);
    a = v128.load(LINE_A + base + (c << 4));
    b = v128.load(LINE_B + base + (c << 4));
  } else {
    searchUnit4(2 * c, s, base);
    searchUnit4(2 * c + 1, s, base);
    const at = base + (c << 5);
    a = f32x4.add(v128.load(LINE_A + at), v128.load(LINE_A + at, 16));
    b = f32x4.add(v128.load(LINE_B + at), v128.load(LINE_B + at, 16));
  }
  a = sharedSum(a);
  const fit = f32x4.div(a, f32x4.add(sharedSum(b), f32x4.splat(1e-30)));
  const score = f32x4.mul(a, fit);
  const better = f32x4.gt(score, v128.load(FITTED_SCORE + (c << 4)));
  v128.store(FITTED + (c << 4), v128.bitselect(fit, v128.load(FITTED + (c << 4)), better));
  v128.store(FITTED_SCORE + (c << 4), v128.bitselect(score, v128.load(FITTED_SCORE + (c << 4)), better));
}

/** Error change of chunk `c` at scale `s` per lane on the lowest of `count` lines, summed over lanes sharing a scale. */
function envelope(c: usize, s: v128, count: i32): v128 {
  const units: usize = dim == 8 ? 1 : 2;
  const squared = f32x4.mul(s, s);
  const twice = f32x4.add(s, s);
  let total = f32x4.splat(0);
  for (let u: usize = 0; u < units; u++) {
    let at: usize = (c * units + u) << 4;
    let least = f32x4.splat(Infinity);
    for (let k = 0; k < count; k++, at += 256) {
      const line = f32x4.sub(
        f32x4.mul(squared, v128.load(LINE_B + at)),
        f32x4.mul(twice, v128.load(LINE_A + at)),
      );
      least = f32x4.pmin(least, line);
    }
    total = f32x4.add(total, least);
  }
  return sharedSum(total);
}

/**
 * Sets MULTIPLIER to the best odd multipliers for step `d`; returns the error. Tried are the two next to the fitted
 * scale and `reach` more on either side.
 */
function chooseMultipliers(d: f32, count: i32, reach: i32): f32 {
  let total: f32 = 0;
  const step = f32x4.splat(d);
  const inverseStep = f32x4.splat(<f32>1 / d);
  const two = f32x4.splat(2);
  const spread = <f32>reach;
  const margin = f32x4.splat(spread);
  const last = f32x4.splat(<f32>14 - <f32>2 * spread);
  for (let c: usize = 0; c < 8; c++) {
    const ideal = f32x4.mul(v128.load(FITTED + (c << 4)), inverseStep);
    const low = f32x4.floor(f32x4.mul(f32x4.sub(ideal, f32x4.splat(1)), f32x4.splat(0.5)));
    const from = f32x4.pmin(f32x4.pmax(f32x4.sub(low, margin), f32x4.splat(0)), last);
    let m = f32x4.add(f32x4.add(from, from), f32x4.splat(1));
    let best = m;
    let least = f32x4.splat(Infinity);
    for (let i = 0; i < 2 * reach + 2; i++) {
      const error = envelope(c, f32x4.mul(step, m), count);
      best = v128.bitselect(m, best, f32x4.lt(error, least));
      least = f32x4.pmin(least, error);
      m = f32x4.add(m, two);
    }
    v128.store(MULTIPLIER + (c << 4), best);
    total += laneTotal(least);
  }
  return total;
}

/** The step (d * unit) of least error among `tries` fractions of the one that puts the largest scale at 31. */
function chooseStep(tries: i32, from: f32, to: f32, count: i32, reach: i32): f32 {
  let most: f32 = 0;
  for (let i: usize = 0; i < 128; i += 4) most = max<f32>(most, load<f32>(FITTED + i));
  if (!(most > 0)) return 0;
  let best: f32 = 0;
  let least: f32 = Infinity;
  for (let i = 0; i < tries; i++) {
    const d: f32 = (most / 31) * (from + ((to - from) * <f32>i) / <f32>(tries - 1));
    const error = chooseMultipliers(d, count, reach);
    if (error < least) {
      least = error;
      best = d;
    }
  }
  return best;
}

/** Least-squares step for the points and multipliers of `slot`. */
function fitStep(slot: i32): f32 {
  let num = f32x4.splat(0);
  let den = f32x4.splat(1e-30);
  const units: usize = dim == 8 ? 1 : 2;
  for (let c: usize = 0; c < 8; c++) {
    const m = v128.load(MULTIPLIER + (c << 4));
    for (let u: usize = 0; u < units; u++) {
      const at: usize = (<usize>slot << 8) + ((c * units + u) << 4);
      num = f32x4.add(num, f32x4.mul(m, v128.load(LINE_A + at)));
      den = f32x4.add(den, f32x4.mul(f32x4.mul(m, m), v128.load(LINE_B + at)));
    }
  }
  return sum4(num) / sum4(den);
}

/** Error change at step `d` with the points and multipliers of `slot`. */
function errorAt(d: f32, slot: i32): f32 {
  let total = f32x4.splat(0);
  const units: usize = dim == 8 ? 1 : 2;
  for (let c: usize = 0; c < 8; c++) {
    const s = f32x4.mul(f32x4.splat(d), v128.load(MULTIPLIER + (c << 4)));
    for (let u: usize = 0; u < units; u++) {
      const at: usize = (<usize>slot << 8) + ((c * units + u) << 4);
      const slope = f32x4.sub(f32x4.mul(s, v128.load(LINE_B + at)), f32x4.mul(f32x4.splat(2), v128.load(LINE_A + at)));
      total = f32x4.add(total, f32x4.mul(s, slope));
    }
  }
  return sum4(total);
}

/** f16 bits of the `d` for a step: finite, not zero. @param magnitude the block's power of two. */
function roundD(step: f32, magnitude: f32): u32 {
  const d = (step / unit) * magnitude;
  return d < MAX_F16 ? max<u32>(1, f32ToF16(max<f32>(d, 0))) : 0x7bff;
}

/** The step that f16 bits stand for. */
function stepOf(bits: u32, magnitude: f32): f32 {
  return (f16ToF32(bits) / magnitude) * unit;
}

/** Searches all chunks at `factor` times their scales at `base`. */
function searchAt(factor: f32, base: usize, slot: i32): void {
  for (let c: usize = 0; c < 8; c++) {
    searchChunk(c, f32x4.mul(f32x4.splat(factor), v128.load(base + (c << 4))), slot);
  }
}

/** Searches at `count` factors of the scales at `base`, into slots from `slot` on; returns the next free one. */
function searchFactors(factors: usize, count: i32, base: usize, slot: i32): i32 {
  for (let i = 0; i < count; i++) searchAt(load<f32>(factors + (<usize>i << 2)), base, slot + i);
  return slot + count;
}

/** Keeps the points and multipliers just searched with a `d` if their error is below that of all before. */
function keepIfBetter(bits: u32, step: f32, slot: i32): void {
  const error = errorAt(step, slot);
  if (!(error < least)) return;
  least = error;
  blockD = bits;
  memory.copy(POINTS, NEW_POINTS, 128);
  memory.copy(FLIPPED, NEW_FLIPPED, 64);
  memory.copy(CHOSEN, MULTIPLIER, 128);
}

let lines: i32 = 0;
let least: f32 = 0;

/**
 * Chooses d and multipliers on the lines found so far, searches there, and keeps the outcome if it is the best.
 * @param tries, from, to as in `chooseStep`. @param rounds searches, each at the d fitted to the one before.
 */
function settle(magnitude: f32, tries: i32, from: f32, to: f32, reach: i32, rounds: i32): void {
  let step = chooseStep(tries, from, to, lines, reach);
  for (let round = 0; round < rounds; round++) {
    const bits = roundD(step, magnitude);
    const rounded = stepOf(bits, magnitude);
    chooseMultipliers(rounded, lines, reach);
    searchAt(rounded, MULTIPLIER, lines);
    keepIfBetter(bits, rounded, lines);
    step = fitStep(lines);
    const fitted = roundD(step, magnitude);
    keepIfBetter(fitted, stepOf(fitted, magnitude), lines);
    lines++;
  }
}

/** Encodes a block into the exported fields; returns false where zeros are best. */
export function encodeBlock(src: usize, importance: usize, effort: i32): bool {
  const magnitude = loadBlock(src, importance);
  if (magnitude == 0) return false;
  guessScales();
  least = 0; // what a block of zeros has: never worse than that
  lines = dim == 8 ? searchFactors(FAST_STARTS_8, 2, START, 0) : searchFactors(FAST_STARTS_4, 3, START, 0);
  settle(magnitude, 8, 0.8, 1.1, 0, 1);
  if (effort != 0) {
    lines = searchFactors(BEST_STARTS, 7, START, lines);
    lines = searchFactors(BEST_REFINEMENTS, 4, FITTED, lines);
    settle(magnitude, 16, 0.75, 1.15, 1, 2);
  }
  return least < 0;
}
