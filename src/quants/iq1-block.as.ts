/**
 * One block of 256 weights in the memory of the IQ1_S and IQ1_M kernel: loading it, and the best codes it could
 * have if the grid held every ternary vector, which bound and steer the search (iq1-search.as.ts).
 */
import { IMPORTANCE_FLOOR, NOTHING } from './tuning.as';

/** f32 of the block: weights over `unit`, importance, their product. */
const xs = memory.data(1024, 16);
export const ws = memory.data(1024, 16);
export const wxs = memory.data(1024, 16);
/** Importance and product once more, four groups of 8 weights (a quad) side by side: [quad][component][group]. */
const quadWs = memory.data(1024, 16);
const quadWxs = memory.data(1024, 16);
/** f32 per group: the best scale of its sub-block for free codes. */
export const scales = memory.data(128, 16);
/** f32 scales tried for free codes, in units of the root mean square. */
const freeScales = memory.data<f32>([0.9, 1.15, 1.5, 2, 2.8, 4]);
const FREE_SCALES: usize = 6;

/** Layout: groups of a sub-block, groups that share a shift. */
export let groups: usize = 4;
export let shared: usize = 4;
/** Power of two that the block was divided by. */
export let unit: f32 = 1;

/** @param groupsASub 4 for IQ1_S, 2 for IQ1_M. @param groupsAShift 4 and 1. */
export function setLayout(groupsASub: usize, groupsAShift: usize): void {
  groups = groupsASub;
  shared = groupsAShift;
}

/** Loads a block with its largest magnitude in [1, 2). @returns false: all zero. */
export function loadBlock(src: usize, importance: usize): bool {
  const infinite = f32x4.splat(Infinity);
  let largest = f32x4.splat(0);
  for (let i: usize = 0; i < 1024; i += 16) {
    const x = v128.load(src + i);
    const magnitude = f32x4.abs(x);
    const finite = f32x4.lt(magnitude, infinite);
    v128.store(xs + i, v128.and(x, finite));
    largest = f32x4.max(largest, v128.and(magnitude, finite));
  }
  const top = maxLane(largest);
  if (top < <f32>NOTHING) return false;
  unit = reinterpret<f32>(reinterpret<u32>(top) & 0x7f800000);
  const inverse = f32x4.splat(1 / unit);
  for (let i: usize = 0; i < 1024; i += 16) v128.store(xs + i, f32x4.mul(v128.load(xs + i), inverse));
  loadImportance(importance);
  for (let i: usize = 0; i < 1024; i += 16) {
    v128.store(wxs + i, f32x4.mul(v128.load(xs + i), v128.load(ws + i)));
  }
  for (let i: usize = 0; i < 256; i++) {
    const to = 4 * ((i & 0xe0) | ((i & 7) << 2) | ((i >> 3) & 3));
    store<f32>(quadWs + to, load<f32>(ws + 4 * i));
    store<f32>(quadWxs + to, load<f32>(wxs + 4 * i));
  }
  return true;
}

function maxLane(v: v128): f32 {
  const pairs = f32x4.max(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** Importance over its largest; all equal where it is missing, has a value that is none, or is all zero. */
function loadImportance(importance: usize): void {
  let heaviest: f32 = 0;
  let valid = importance != 0;
  if (valid) {
    let largest = f32x4.splat(0);
    let invalid = i32x4.splat(0);
    for (let i: usize = 0; i < 1024; i += 16) {
      const v = v128.load(importance + i);
      largest = f32x4.max(largest, v);
      invalid = v128.or(invalid, v128.not(f32x4.ge(v, f32x4.splat(0))));
    }
    heaviest = maxLane(largest);
    valid = !v128.any_true(invalid) && heaviest > 0 && heaviest < Infinity;
  }
  if (!valid) {
    for (let i: usize = 0; i < 1024; i += 16) v128.store(ws + i, f32x4.splat(1));
    return;
  }
  const top = f32x4.splat(heaviest);
  for (let i: usize = 0; i < 1024; i += 16) {
    v128.store(ws + i, f32x4.max(f32x4.div(v128.load(importance + i), top), f32x4.splat(<f32>IMPORTANCE_FLOOR)));
  }
}

/** Free costs of four groups with shift 1/8 and with -1/8, as `quadCosts` found them. */
export let plusCosts: v128 = f32x4.splat(0);
export let minusCosts: v128 = f32x4.splat(0);

/** Sums over the groups that share a shift, in each of their lanes. */
function overShift(v: v128): v128 {
  return shared == 1 ? v : overSub(v);
}

/** Sums over the groups of a sub-block, in each of their lanes. */
function overSub(v: v128): v128 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 1, 0, 3, 2));
  return groups == 2 ? pairs : f32x4.add(pairs, v128.shuffle<f32>(pairs, pairs, 2, 3, 0, 1));
}

/** Costs of the best free codes of a quad's groups, in units of scale^2 and less what both shifts share. */
export function quadCosts(quad: usize, twice: v128): void {
  let plus = f32x4.splat(0);
  let minus = f32x4.splat(0);
  let sum = f32x4.splat(0);
  for (let at = quad << 7; at < (quad + 1) << 7; at += 16) {
    const w = v128.load(quadWs + at);
    const p = f32x4.mul(v128.load(quadWxs + at), twice);
    const offset = f32x4.mul(w, f32x4.splat(0.25));
    sum = f32x4.add(sum, p);
    plus = f32x4.add(plus, f32x4.min(f32x4.splat(0), f32x4.sub(w, f32x4.abs(f32x4.sub(p, offset)))));
    minus = f32x4.add(minus, f32x4.min(f32x4.splat(0), f32x4.sub(w, f32x4.abs(f32x4.add(p, offset)))));
  }
  const base = f32x4.mul(sum, f32x4.splat(0.125));
  plusCosts = overShift(f32x4.sub(plus, base));
  minusCosts = overShift(f32x4.add(minus, base));
}

/** Least-squares scales of a quad's sub-blocks for the best free codes at a scale. */
function refitFree(quad: usize, scale: v128): v128 {
  const twice = f32x4.div(f32x4.splat(2), scale);
  quadCosts(quad, twice);
  const offset = v128.bitselect(f32x4.splat(0.125), f32x4.splat(-0.125), f32x4.le(plusCosts, minusCosts));
  const twiceOffset = f32x4.add(offset, offset);
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  for (let at = quad << 7; at < (quad + 1) << 7; at += 16) {
    const w = v128.load(quadWs + at);
    const wx = v128.load(quadWxs + at);
    const p = f32x4.sub(f32x4.mul(wx, twice), f32x4.mul(w, twiceOffset));
    const sign = v128.or(v128.and(p, i32x4.splat(0x80000000)), f32x4.splat(1));
    const y = f32x4.add(offset, v128.and(sign, f32x4.gt(f32x4.abs(p), w)));
    a = f32x4.add(a, f32x4.mul(wx, y));
    b = f32x4.add(b, f32x4.mul(w, f32x4.mul(y, y)));
  }
  const fitted = overSub(a);
  return v128.and(f32x4.div(fitted, overSub(b)), f32x4.gt(fitted, f32x4.splat(0)));
}

/** Least-squares scales of a quad's sub-blocks, one a lane, where every ternary code is allowed; 0: no weights. */
function freeScale(quad: usize): v128 {
  let xx = f32x4.splat(0);
  let ww = f32x4.splat(0);
  for (let at = quad << 7; at < (quad + 1) << 7; at += 16) {
    const w = v128.load(quadWs + at);
    const wx = v128.load(quadWxs + at);
    xx = f32x4.add(xx, f32x4.div(f32x4.mul(wx, wx), w));
    ww = f32x4.add(ww, w);
  }
  ww = overSub(ww);
  const rms = f32x4.sqrt(f32x4.div(overSub(xx), ww));
  const constant = f32x4.mul(ww, f32x4.splat(0.015625)); // shift^2, which both shifts share
  let least = f32x4.splat(Infinity);
  let chosen = f32x4.splat(0);
  for (let k: usize = 0; k < FREE_SCALES; k++) {
    const scale = f32x4.mul(rms, v128.load_splat<f32>(freeScales + 4 * k));
    quadCosts(quad, f32x4.div(f32x4.splat(2), scale));
    const costs = f32x4.min(plusCosts, minusCosts);
    const total = f32x4.add(shared == 1 ? overSub(costs) : costs, constant);
    const error = f32x4.mul(total, f32x4.mul(scale, scale));
    chosen = v128.bitselect(scale, chosen, f32x4.lt(error, least));
    least = f32x4.min(least, error);
  }
  return v128.and(refitFree(quad, chosen), f32x4.gt(chosen, f32x4.splat(0)));
}

/** Finds the free scales of all groups. @returns the largest. */
export function fillScales(): f32 {
  let largest = f32x4.splat(0);
  for (let quad: usize = 0; quad < 8; quad++) {
    const scale = freeScale(quad);
    v128.store(scales + 16 * quad, scale);
    largest = f32x4.max(largest, scale);
  }
  return maxLane(largest);
}

/** Replaces the weights by their opposites. */
export function negate(): void {
  for (let i: usize = 0; i < 1024; i += 16) {
    v128.store(wxs + i, f32x4.neg(v128.load(wxs + i)));
    v128.store(quadWxs + i, f32x4.neg(v128.load(quadWxs + i)));
  }
}
