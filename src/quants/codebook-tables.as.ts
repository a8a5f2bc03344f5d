/**
 * Exact search of a codebook for four groups at once, one group in each f32 lane.
 *
 * At scale `s` a point `g` costs a group `sum_k w_k (s g_k - |x_k|)^2`, which is the cost of its low half (the first
 * half of the components) plus that of its high half. A half takes few values (3^4 = 81, or 8^2 = 64), so both
 * halves' costs are tabulated, and the points are walked low half by low half: a point then costs one load and one
 * minimum. Costs are counted from the best level of each component, for two reasons: differences survive f32 beside
 * an outlier, and no cost is negative, so that a low half which alone costs more than the best point so far, in all
 * four lanes, is skipped with all its points.
 *
 * Where the number of minus signs of a group must be even and is odd, one sign flips, at a cost of
 * `4 s min_k(w_k |x_k| g_k)`: either in the low or in the high half. A second table holds the cost with that flip.
 *
 * Table entry `e` is 32 bytes: cost without flip, cost with flip. Entries of the high half carry `e` in their low 7
 * bits (a relative error of 2^-16); a search result carries `low << 7 | high` in its low 14 bits.
 */

/** Bytes a table entry; the offsets in point lists are multiples of it. */
const ENTRY: usize = 32;
/** Costs of the parts of a half; their flip costs lie this many bytes after them. */
const FLIPS: usize = 288;
const LEVELS = memory.data(576, 16);
const PAIRS = memory.data(576, 16);
const LOW_TABLE = memory.data(81 * 32, 64);
const HIGH_TABLE = memory.data(81 * 32, 64);

/** Level costs and flip costs of one component: `[count]` vectors at `costs` and `FLIPS` after. */
function componentCosts(w: v128, x: v128, s: v128, odd: v128, levels: usize, count: usize, costs: usize): void {
  let least = f32x4.splat(Infinity);
  const slope = v128.and(f32x4.mul(f32x4.mul(f32x4.splat(4), s), f32x4.mul(w, x)), odd);
  const end = costs + (count << 4);
  for (let at = costs; at < end; at += 16, levels += 4) {
    const level = v128.load32_splat(levels);
    const e = f32x4.sub(f32x4.mul(s, level), x);
    const cost = f32x4.mul(w, f32x4.mul(e, e));
    least = f32x4.pmin(least, cost);
    v128.store(at, cost);
    v128.store(at, f32x4.mul(slope, level), FLIPS);
  }
  for (let at = costs; at < end; at += 16) v128.store(at, f32x4.sub(v128.load(at), least));
}

/** Costs of the 9 level pairs of two components with 3 levels each, and their flip costs. */
function pairCosts(costs: usize, pairs: usize): void {
  for (let b: usize = 0; b < 3; b++) {
    const c = v128.load(costs + 48 + (b << 4));
    const f = v128.load(costs + 48 + (b << 4), FLIPS);
    for (let a: usize = 0; a < 3; a++, pairs += 16) {
      v128.store(pairs, f32x4.add(v128.load(costs + (a << 4)), c));
      v128.store(pairs, f32x4.pmin(v128.load(costs + (a << 4), FLIPS), f), FLIPS);
    }
  }
}

/** Costs of a half whose parts cost `inner[a] + outer[b]`, entry `n b + a`. */
function tabulate(inner: usize, outer: usize, n: usize, table: usize): void {
  const end = inner + (n << 4);
  for (let b: usize = 0; b < n; b++) {
    const c = v128.load(outer + (b << 4));
    for (let a = inner; a < end; a += 16, table += ENTRY) v128.store(table, f32x4.add(v128.load(a), c));
  }
}

/** The same, with the entry's number in the low 7 bits. */
function tabulateMarked(inner: usize, outer: usize, n: usize, table: usize): void {
  const end = inner + (n << 4);
  let number = i32x4.splat(0);
  for (let b: usize = 0; b < n; b++) {
    const c = v128.load(outer + (b << 4));
    for (let a = inner; a < end; a += 16, table += ENTRY) {
      v128.store(table, v128.or(v128.and(f32x4.add(v128.load(a), c), i32x4.splat(~127)), number));
      number = i32x4.add(number, i32x4.splat(1));
    }
  }
}

/** Both costs of each entry: without and with a flip. Flip costs lie `FLIPS` bytes after the costs of the parts. */
function tabulateFlips(inner: usize, outer: usize, n: usize, table: usize): void {
  const end = inner + (n << 4);
  for (let b: usize = 0; b < n; b++) {
    const c = v128.load(outer + (b << 4));
    const f = v128.load(outer + (b << 4), FLIPS);
    for (let a = inner; a < end; a += 16, table += ENTRY) {
      const cost = f32x4.add(v128.load(a), c);
      v128.store(table, cost);
      v128.store(table, f32x4.add(cost, f32x4.pmin(v128.load(a, FLIPS), f)), 16);
    }
  }
}

/** The same, with the entry's number in the low 7 bits. */
function tabulateFlipsMarked(inner: usize, outer: usize, n: usize, table: usize): void {
  const end = inner + (n << 4);
  const keep = i32x4.splat(~127);
  let number = i32x4.splat(0);
  for (let b: usize = 0; b < n; b++) {
    const c = v128.load(outer + (b << 4));
    const f = v128.load(outer + (b << 4), FLIPS);
    for (let a = inner; a < end; a += 16, table += ENTRY) {
      const cost = f32x4.add(v128.load(a), c);
      v128.store(table, v128.or(v128.and(cost, keep), number));
      const flipped = f32x4.add(cost, f32x4.pmin(v128.load(a, FLIPS), f));
      v128.store(table, v128.or(v128.and(flipped, keep), number), 16);
      number = i32x4.add(number, i32x4.splat(1));
    }
  }
}

function tabulateHalf(inner: usize, outer: usize, n: usize, flips: bool, high: bool): void {
  if (flips) {
    if (high) tabulateFlipsMarked(inner, outer, n, HIGH_TABLE);
    else tabulateFlips(inner, outer, n, LOW_TABLE);
  } else if (high) tabulateMarked(inner, outer, n, HIGH_TABLE);
  else tabulate(inner, outer, n, LOW_TABLE);
}

/**
 * Tabulates the low or high half of 4 components with 3 levels. @param w, x `[4]` vectors of weights and magnitudes.
 * @param odd lanes whose sign parity is odd. @param flips whether flips are tabulated.
 */
export function buildTernary(w: usize, x: usize, s: v128, odd: v128, levels: usize, flips: bool, high: bool): void {
  for (let k: usize = 0; k < 4; k++) {
    componentCosts(v128.load(w + (k << 4)), v128.load(x + (k << 4)), s, odd, levels, 3, LEVELS + 48 * k);
  }
  pairCosts(LEVELS, PAIRS);
  pairCosts(LEVELS + 96, PAIRS + 144);
  tabulateHalf(PAIRS, PAIRS + 144, 9, flips, high);
}

/** Tabulates a half of 2 components with 8 levels; otherwise as `buildTernary`. */
export function buildOctal(w: usize, x: usize, s: v128, odd: v128, levels: usize, flips: bool, high: bool): void {
  for (let k: usize = 0; k < 2; k++) {
    componentCosts(v128.load(w + (k << 4)), v128.load(x + (k << 4)), s, odd, levels, 8, LEVELS + 128 * k);
  }
  tabulateHalf(LEVELS, LEVELS + 128, 8, flips, high);
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
    if (!v128.any_true(i32x4.lt_u(v128.load(<usize>low, LOW_TABLE), best))) {
      list += pairs << 2;
      continue;
    }
    let a = i32x4.splat(0x7f7fffff);
    let b = a;
    const end = list + (pairs << 2);
    for (; list < end; list += 4) {
      a = i32x4.min_u(a, v128.load(<usize>load<u16>(list), HIGH_TABLE));
      b = i32x4.min_u(b, v128.load(<usize>load<u16>(list, 2), HIGH_TABLE));
    }
    const least = i32x4.min_u(a, b);
    const total = f32x4.add(least, v128.load(<usize>low, LOW_TABLE));
    best = i32x4.min_u(best, label(total, least, i32x4.splat(low << 2)));
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
    if (!v128.any_true(i32x4.lt_u(v128.load(<usize>low, LOW_TABLE), best))) {
      list += pairs << 2;
      continue;
    }
    let least = i32x4.splat(0x7f7fffff);
    let flipped = least;
    const end = list + (pairs << 2);
    for (; list < end; list += 4) {
      const a = <usize>load<u16>(list);
      const b = <usize>load<u16>(list, 2);
      least = i32x4.min_u(i32x4.min_u(v128.load(a, HIGH_TABLE), v128.load(b, HIGH_TABLE)), least);
      flipped = i32x4.min_u(i32x4.min_u(v128.load(a, HIGH_TABLE + 16), v128.load(b, HIGH_TABLE + 16)), flipped);
    }
    const number = i32x4.splat(low << 2);
    const plain = v128.load(<usize>low, LOW_TABLE);
    const flipLow = label(f32x4.add(least, v128.load(<usize>low, LOW_TABLE + 16)), least, number);
    const flipHigh = label(f32x4.add(flipped, plain), flipped, number);
    best = i32x4.min_u(best, i32x4.min_u(flipLow, flipHigh));
    if (even) bestEven = i32x4.min_u(bestEven, label(f32x4.add(least, plain), least, number));
  }
  if (even) v128.store(even, bestEven);
  return best;
}
