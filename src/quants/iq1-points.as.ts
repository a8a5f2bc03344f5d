/**
 * Nearest point of the 2048-point ternary grid, exactly, in the kernel of IQ1_S and IQ1_M. With u = x / s - shift
 * a code g costs `w g^2 - p g`, p = 2 w u. The best free code is 0 where |p| < w and the sign of p elsewhere; if
 * these eight codes are a grid point they are the answer. If not, changes of one, two and more codes are tried,
 * cheapest first, each a look-up in a table of all 3^8 ternary vectors, until no cheaper change is left.
 */

/** Ternary vectors of eight codes: 3^8; a vector's index is the sum of (g + 1) 3^k. */
const VECTORS = 6561;
/** Index of the zero vector. */
const MIDDLE = 3280;
/** Near changes (to the next level) and far ones of eight codes. */
const CHANGES: usize = 16;

/** i16 per ternary vector: its grid point, or -1. */
const members = memory.data(2 * VECTORS, 16);
/** i8 codes of each grid point. */
const codes = memory.data(8 * 2048, 16);
/** f32 costs and i16 index differences of the changes: near ones first. */
const costs = memory.data(64, 16);
const steps = memory.data(32, 16);
/** The changes worth trying, cheapest first: f32 cost and i32 `step << 3 | component` (step signed). */
const sortedCosts = memory.data(64, 16);
const sortedSteps = memory.data(64, 16);

/** Cost of the last nearest point beyond the one of the best free codes. */
export let excess: f32 = 0;

/** Reads the packed grid: u16 per point, two bits a code (0..2 for -1..1). */
export function setupPoints(packed: usize): void {
  memory.fill(members, 0xff, 2 * VECTORS);
  for (let point: usize = 0; point < 2048; point++) {
    const bits = <i32>load<u16>(packed + 2 * point);
    let index = 0;
    for (let k = 7; k >= 0; k--) {
      const digit = (bits >> (2 * k)) & 3;
      index = 3 * index + digit;
      store<i8>(codes + 8 * point + k, <i8>(digit - 1));
    }
    store<i16>(members + 2 * index, <i16>point);
  }
}

function member(index: i32): i32 {
  return load<i16>(members + 2 * index);
}

/** Codes 0..3 of a point as f32. */
export function lowCodes(point: i32): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v128.load_ext<i8>(codes + 8 * <usize>point)));
}

/** Codes 4..7 of a point as f32. */
export function highCodes(point: i32): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v128.load_ext<i8>(codes + 8 * <usize>point)));
}

/** Sum of four f32. */
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/**
 * The grid point of least cost for eight weights: `p0`, `p1` hold p = 2 w u, `w0`, `w1` the importance.
 * Leaves in `excess` what it costs more than the best free codes; infinite where that is not below `limit`.
 * @param hint a point that is likely to be good, which shortens the search; -1: none is known.
 */
export function nearestPoint(p0: v128, p1: v128, w0: v128, w1: v128, limit: f32, hint: i32): i32 {
  const abs0 = f32x4.abs(p0);
  const abs1 = f32x4.abs(p1);
  const nonzero = i16x8.narrow_i32x4_s(f32x4.gt(abs0, w0), f32x4.gt(abs1, w1));
  const negative = i16x8.narrow_i32x4_s(i32x4.shr_s(p0, 31), i32x4.shr_s(p1, 31));
  // One level towards the sign of p, in index units: +-3^k.
  const towards = i16x8.sub(v128.xor(i16x8(1, 3, 9, 27, 81, 243, 729, 2187), negative), negative);
  const sums = i32x4.dot_i16x8_s(v128.and(towards, nonzero), i16x8.splat(1));
  const pairs = i32x4.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1));
  const index = MIDDLE + i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
  excess = 0;
  const free = member(index);
  if (free >= 0) return free;
  const low = f32x4.sub(abs0, w0);
  const high = f32x4.sub(abs1, w1);
  excess = limit;
  cheapest = -1;
  if (hint >= 0) {
    // Costs of the hint, less those of the best free codes.
    const g0 = lowCodes(hint);
    const g1 = highCodes(hint);
    const zero = f32x4.splat(0);
    const cost0 = f32x4.add(f32x4.mul(g0, f32x4.sub(f32x4.mul(w0, g0), p0)), f32x4.max(low, zero));
    const cost1 = f32x4.add(f32x4.mul(g1, f32x4.sub(f32x4.mul(w1, g1), p1)), f32x4.max(high, zero));
    const cost = sumLanes(f32x4.add(cost0, cost1));
    if (cost < limit) {
      excess = cost;
      cheapest = hint;
    }
  }
  const far0 = f32x4.add(abs0, f32x4.max(abs0, w0));
  const far1 = f32x4.add(abs1, f32x4.max(abs1, w1));
  v128.store(costs, f32x4.abs(low));
  v128.store(costs + 16, f32x4.abs(high));
  v128.store(costs + 32, far0);
  v128.store(costs + 48, far1);
  v128.store(steps, i16x8.sub(v128.xor(towards, nonzero), nonzero));
  v128.store(steps + 16, i16x8.neg(i16x8.add(towards, v128.and(towards, nonzero))));
  trySingles(index, changesBelow(excess));
  sortChanges(changesBelow(excess));
  if (sortedCount > 1) combine(index, 0, 0, 0);
  if (cheapest < 0) excess = Infinity;
  return cheapest;
}

/** Bit i: change i costs less than `limit`. */
function changesBelow(limit: f32): u32 {
  const all = f32x4.splat(limit);
  const near = i16x8.narrow_i32x4_s(f32x4.lt(v128.load(costs), all), f32x4.lt(v128.load(costs + 16), all));
  const far = i16x8.narrow_i32x4_s(f32x4.lt(v128.load(costs + 32), all), f32x4.lt(v128.load(costs + 48), all));
  return i8x16.bitmask(i8x16.narrow_i16x8_s(near, far));
}

/** The best single change of those whose bits are set. */
function trySingles(index: i32, changes: u32): void {
  for (; changes; changes &= changes - 1) {
    const i = <usize>ctz(changes);
    const cost = load<f32>(costs + 4 * i);
    if (cost >= excess) continue;
    const found = member(index + load<i16>(steps + 2 * i));
    if (found < 0) continue;
    excess = cost;
    cheapest = found;
  }
}

/** Sorts the changes whose bits are set. */
function sortChanges(changes: u32): void {
  let count: usize = 0;
  for (; changes; changes &= changes - 1) {
    const i = <usize>ctz(changes);
    const cost = load<f32>(costs + 4 * i);
    let at = count++;
    while (at > 0 && load<f32>(sortedCosts + 4 * (at - 1)) > cost) {
      store<f32>(sortedCosts + 4 * at, load<f32>(sortedCosts + 4 * (at - 1)));
      store<i32>(sortedSteps + 4 * at, load<i32>(sortedSteps + 4 * (at - 1)));
      at--;
    }
    store<f32>(sortedCosts + 4 * at, cost);
    store<i32>(sortedSteps + 4 * at, (<i32>load<i16>(steps + 2 * i) << 3) | <i32>(i & 7));
  }
  sortedCount = count;
}

/** The cheapest point found so far, its cost being `excess`, and the number of sorted changes. */
let cheapest = 0;
let sortedCount: usize = 0;

/** Adds changes from number `from` on to a vector reached at `cost` by changing the components in `used`. */
function combine(index: i32, cost: f32, used: i32, from: usize): void {
  for (let i = from; i < sortedCount; i++) {
    const total = cost + load<f32>(sortedCosts + 4 * i);
    if (total >= excess) return;
    const step = load<i32>(sortedSteps + 4 * i);
    const component = 1 << (step & 7);
    if (used & component) continue;
    const reached = index + (step >> 3);
    const found = member(reached);
    if (found >= 0) {
      excess = total;
      cheapest = found;
    } else if (i + 1 < sortedCount) combine(reached, total, used | component, i + 1);
  }
}
