/**
 * Exact search of a codebook for four groups at once, one group in each f32 lane.
 *
 * At scale `s` a point `g` costs a group `sum_k w_k (s g_k - |x_k|)^2`, which is the cost of its low half (the first
 * half of the components) plus that of its high half. A half takes few values (3^4 = 81, or 8^2 = 64), so both
 * halves' costs are tabulated, and the points are walked low half by low half: a point then costs one load and one
 * minimum. Costs are counted from the best level of each component: differences survive f32 beside an outlier.
 *
 * Where the number of minus signs of a group must be even and is odd, one sign flips, at a cost of
 * `4 s min_k(w_k |x_k| g_k)`: either in the low or in the high half. A second table holds the cost with that flip.
 *
 * Table entry `e` is 32 bytes: cost without flip, cost with flip. Entries of the high half carry `e` in their low 7
 * bits (a relative error of 2^-16); a search result carries `low << 7 | high` in its low 14 bits.
 */

/** Bytes a table entry; the offsets in point lists are multiples of it. */
const ENTRY: usize = 32;
const LEVEL_COSTS = memory.data(16 * 8 * 4, 16);
const LEVEL_FLIPS = memory.data(16 * 8 * 4, 16);
const PAIR_COSTS = memory.data(16 * 18, 16);
const PAIR_FLIPS = memory.data(16 * 18, 16);
export const LOW_TABLE = memory.data(81 * 32, 64);
export const HIGH_TABLE = memory.data(81 * 32, 64);

/** Level costs (and flip costs) of one component: `[levels]` vectors at `costs` and `flips`. */
function componentCosts(
  w: v128, x: v128, s: v128, odd: v128, levels: usize, count: i32, costs: usize, flips: usize,
): void {
  let least = f32x4.splat(Infinity);
  const slope = v128.and(f32x4.mul(f32x4.mul(f32x4.splat(4), s), f32x4.mul(w, x)), odd);
  for (let l = 0; l < count; l++) {
    const level = v128.load32_splat(levels + (<usize>l << 2));
    const e = f32x4.sub(f32x4.mul(s, level), x);
    const cost = f32x4.mul(w, f32x4.mul(e, e));
    least = f32x4.pmin(least, cost);
    v128.store(costs + (<usize>l << 4), cost);
    v128.store(flips + (<usize>l << 4), f32x4.mul(slope, level));
  }
  for (let l = 0; l < count; l++) {
    const at = costs + (<usize>l << 4);
    v128.store(at, f32x4.sub(v128.load(at), least));
  }
}

/** Costs of the 9 level pairs of two components with 3 levels each. */
function pairCosts(costs: usize, flips: usize, pairs: usize, pairFlips: usize): void {
  for (let b: usize = 0; b < 3; b++) {
    const c = v128.load(costs + ((3 + b) << 4));
    const f = v128.load(flips + ((3 + b) << 4));
    for (let a: usize = 0; a < 3; a++) {
      const to = (3 * b + a) << 4;
      v128.store(pairs + to, f32x4.add(v128.load(costs + (a << 4)), c));
      v128.store(pairFlips + to, f32x4.pmin(v128.load(flips + (a << 4)), f));
    }
  }
}

/**
 * Tabulates a half of 4 components with 3 levels. @param w, x `[4]` vectors of weights and magnitudes.
 * @param odd lanes whose sign parity is odd. @param mark whether entries carry their number.
 */
export function buildTernary(
  w: usize, x: usize, s: v128, odd: v128, levels: usize, parity: bool, mark: bool, table: usize,
): void {
  for (let k: usize = 0; k < 4; k++) {
    componentCosts(v128.load(w + (k << 4)), v128.load(x + (k << 4)), s, odd, levels, 3,
      LEVEL_COSTS + 48 * k, LEVEL_FLIPS + 48 * k);
  }
  pairCosts(LEVEL_COSTS, LEVEL_FLIPS, PAIR_COSTS, PAIR_FLIPS);
  pairCosts(LEVEL_COSTS + 96, LEVEL_FLIPS + 96, PAIR_COSTS + 144, PAIR_FLIPS + 144);
  const keep = i32x4.splat(mark ? ~127 : ~0);
  const step = i32x4.splat(mark ? 1 : 0);
  let number = i32x4.splat(0);
  let to = table;
  for (let b: usize = 0; b < 9; b++) {
    const c = v128.load(PAIR_COSTS + 144 + (b << 4));
    const f = v128.load(PAIR_FLIPS + 144 + (b << 4));
    for (let a: usize = 0; a < 9; a++) {
      const cost = f32x4.add(v128.load(PAIR_COSTS + (a << 4)), c);
      v128.store(to, v128.or(v128.and(cost, keep), number));
      if (parity) {
        const flipped = f32x4.add(cost, f32x4.pmin(v128.load(PAIR_FLIPS + (a << 4)), f));
        v128.store(to, v128.or(v128.and(flipped, keep), number), 16);
      }
      number = i32x4.add(number, step);
      to += ENTRY;
    }
  }
}

/** Tabulates a half of 2 components with 8 levels; otherwise as `buildTernary`. */
export function buildOctal(
  w: usize, x: usize, s: v128, odd: v128, levels: usize, parity: bool, mark: bool, table: usize,
): void {
  for (let k: usize = 0; k < 2; k++) {
    componentCosts(v128.load(w + (k << 4)), v128.load(x + (k << 4)), s, odd, levels, 8,
      LEVEL_COSTS + 128 * k, LEVEL_FLIPS + 128 * k);
  }
  const keep = i32x4.splat(mark ? ~127 : ~0);
  const step = i32x4.splat(mark ? 1 : 0);
  let number = i32x4.splat(0);
  let to = table;
  for (let b: usize = 8; b < 16; b++) {
    const c = v128.load(LEVEL_COSTS + (b << 4));
    const f = v128.load(LEVEL_FLIPS + (b << 4));
    for (let a: usize = 0; a < 8; a++) {
      const cost = f32x4.add(v128.load(LEVEL_COSTS + (a << 4)), c);
      v128.store(to, v128.or(v128.and(cost, keep), number));
      if (parity) {
        const flipped = f32x4.add(cost, f32x4.pmin(v128.load(LEVEL_FLIPS + (a << 4)), f));
        v128.store(to, v128.or(v128.and(flipped, keep), number), 16);
      }
      number = i32x4.add(number, step);
      to += ENTRY;
    }
  }
}

/** A total with `low << 7 | high` in its low 14 bits; `high` from the low 7 bits of `marked`. */
function label(total: v128, marked: v128, low: v128): v128 {
  return v128.or(v128.or(v128.and(total, i32x4.splat(~0x3fff)), v128.and(marked, i32x4.splat(127))), low);
}

/**
 * The cheapest point of a list for each lane, no flips.
 * A list is a run of records: u16 offset of the low half's entry, u16 pairs of points (0 ends the list), then per
 * point the u16 offset of the high half's entry.
 */
export function searchPlain(list: usize): v128 {
  let best = i32x4.splat(0x7f7fffff);
  for (let pairs: u32 = load<u16>(list, 2); pairs != 0; pairs = load<u16>(list, 2)) {
    const low: u32 = load<u16>(list);
    list += 4;
    let least = i32x4.splat(0x7f7fffff);
    const end = list + (pairs << 2);
    for (; list < end; list += 4) {
      least = f32x4.pmin(least, v128.load(HIGH_TABLE + <usize>load<u16>(list)));
      least = f32x4.pmin(least, v128.load(HIGH_TABLE + <usize>load<u16>(list, 2)));
    }
    const total = f32x4.add(least, v128.load(LOW_TABLE + <usize>low));
    best = f32x4.pmin(best, label(total, least, i32x4.splat(low << 2)));
  }
  return best;
}

/**
 * The cheapest point with one flip (the result), and without (stored at `even`, where not 0).
 * Lanes whose flips were tabulated as free get the cheapest point either way.
 */
export function searchFlip(list: usize, even: usize): v128 {
  let best = i32x4.splat(0x7f7fffff);
  let bestEven = best;
  for (let pairs: u32 = load<u16>(list, 2); pairs != 0; pairs = load<u16>(list, 2)) {
    const low: u32 = load<u16>(list);
    list += 4;
    let least = i32x4.splat(0x7f7fffff);
    let flipped = least;
    const end = list + (pairs << 2);
    for (; list < end; list += 4) {
      const a = HIGH_TABLE + <usize>load<u16>(list);
      const b = HIGH_TABLE + <usize>load<u16>(list, 2);
      least = f32x4.pmin(f32x4.pmin(least, v128.load(a)), v128.load(b));
      flipped = f32x4.pmin(f32x4.pmin(flipped, v128.load(a, 16)), v128.load(b, 16));
    }
    const entry = LOW_TABLE + <usize>low;
    const number = i32x4.splat(low << 2);
    const flipLow = label(f32x4.add(least, v128.load(entry, 16)), least, number);
    const flipHigh = label(f32x4.add(flipped, v128.load(entry)), flipped, number);
    best = f32x4.pmin(best, f32x4.pmin(flipLow, flipHigh));
    if (even) bestEven = f32x4.pmin(bestEven, label(f32x4.add(least, v128.load(entry)), least, number));
  }
  if (even) v128.store(even, bestEven);
  return best;
}
