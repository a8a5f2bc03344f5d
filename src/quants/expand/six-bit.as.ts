/** The 6-bit scales and mins of Q4_K and Q5_K, twelve bytes after d and dmin; six-bit.ts says how they lie. */

/** Four 6-bit numbers: the low four bits of each in a byte of `low`, the high two in the top of a byte of `high`. */
function joined(low: u32, high: u32): u64 {
  return <u64>((low & 0x0f0f0f0f) | ((high >> 2) & 0x30303030)) << 32;
}

/** The eight scales of the 12 bytes at `at`, a byte each. */
export function scaleBytes(at: usize): u64 {
  return <u64>(load<u32>(at) & 0x3f3f3f3f) | joined(load<u32>(at, 8), load<u32>(at));
}

/** The eight mins of the 12 bytes at `at`, a byte each and each twice: a min covers two sixteens. */
export function minBytes(at: usize): v128 {
  const bytes = <u64>(load<u32>(at, 4) & 0x3f3f3f3f) | joined(load<u32>(at, 8) >> 4, load<u32>(at, 4));
  const all = i64x2.splat(bytes);
  return i8x16.shuffle(all, all, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
}
