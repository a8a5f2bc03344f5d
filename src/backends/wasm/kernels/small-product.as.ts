/**
 * Products of small f32 matrices that lie in a cache: C[m, n] = A[m, k] B[k, n], or added to C. Every element is summed
 * over k in order, so it does not depend on how the rows are grouped. Strides are bytes from row to row.
 */

/** `n` a multiple of 8, `k` of 4. */
export function product(
  a: usize, aStride: usize, b: usize, bStride: usize, c: usize, cStride: usize, m: i32, n: i32, k: i32, add: bool,
): void {
  let row = 0;
  for (; row + 4 <= m; row += 4) {
    for (let at: usize = 0, end = <usize>n << 2; at < end; at += 32) {
      block4x8(a, aStride, b + at, bStride, c + at, cStride, k, add);
    }
    a += aStride << 2;
    c += cStride << 2;
  }
  for (; row < m; row++) {
    const whole = <usize>(n & ~31) << 2;
    for (let at: usize = 0; at < whole; at += 128) block1x32(a, b + at, bStride, c + at, k, add);
    for (let at = whole, end = <usize>n << 2; at < end; at += 32) block1x8(a, b + at, bStride, c + at, k, add);
    a += aStride;
    c += cStride;
  }
}

/** Four rows of A share each load of B. */
function block4x8(
  a0: usize, aStride: usize, b: usize, bStride: usize, c: usize, cStride: usize, k: i32, add: bool,
): void {
  let a1 = a0 + aStride, a2 = a1 + aStride, a3 = a2 + aStride;
  const c1 = c + cStride, c2 = c1 + cStride, c3 = c2 + cStride;
  let s00 = f32x4.splat(0), s10 = s00, s20 = s00, s30 = s00, s01 = s00, s11 = s00, s21 = s00, s31 = s00;
  if (add) {
    s00 = v128.load(c), s01 = v128.load(c, 16), s10 = v128.load(c1), s11 = v128.load(c1, 16);
    s20 = v128.load(c2), s21 = v128.load(c2, 16), s30 = v128.load(c3), s31 = v128.load(c3, 16);
  }
  for (const end = a0 + (<usize>k << 2); a0 < end; a0 += 16, a1 += 16, a2 += 16, a3 += 16) {
    for (let i: usize = 0; i < 16; i += 4) {
      const b0 = v128.load(b), b1 = v128.load(b, 16);
      b += bStride;
      let x = v128.load32_splat(a0 + i);
      s00 = f32x4.add(s00, f32x4.mul(x, b0));
      s01 = f32x4.add(s01, f32x4.mul(x, b1));
      x = v128.load32_splat(a1 + i);
      s10 = f32x4.add(s10, f32x4.mul(x, b0));
      s11 = f32x4.add(s11, f32x4.mul(x, b1));
      x = v128.load32_splat(a2 + i);
      s20 = f32x4.add(s20, f32x4.mul(x, b0));
      s21 = f32x4.add(s21, f32x4.mul(x, b1));
      x = v128.load32_splat(a3 + i);
      s30 = f32x4.add(s30, f32x4.mul(x, b0));
      s31 = f32x4.add(s31, f32x4.mul(x, b1));
    }
  }
  v128.store(c, s00), v128.store(c, s01, 16), v128.store(c1, s10), v128.store(c1, s11, 16);
  v128.store(c2, s20), v128.store(c2, s21, 16), v128.store(c3, s30), v128.store(c3, s31, 16);
}

/** One row alone: eight sums at a time hide the time of an addition. */
function block1x32(a: usize, b: usize, bStride: usize, c: usize, k: i32, add: bool): void {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  if (add) {
    s0 = v128.load(c), s1 = v128.load(c, 16), s2 = v128.load(c, 32), s3 = v128.load(c, 48);
    s4 = v128.load(c, 64), s5 = v128.load(c, 80), s6 = v128.load(c, 96), s7 = v128.load(c, 112);
  }
  for (const end = a + (<usize>k << 2); a < end; a += 4, b += bStride) {
    const x = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(x, v128.load(b, 16)));
    s2 = f32x4.add(s2, f32x4.mul(x, v128.load(b, 32)));
    s3 = f32x4.add(s3, f32x4.mul(x, v128.load(b, 48)));
    s4 = f32x4.add(s4, f32x4.mul(x, v128.load(b, 64)));
    s5 = f32x4.add(s5, f32x4.mul(x, v128.load(b, 80)));
    s6 = f32x4.add(s6, f32x4.mul(x, v128.load(b, 96)));
    s7 = f32x4.add(s7, f32x4.mul(x, v128.load(b, 112)));
  }
  v128.store(c, s0), v128.store(c, s1, 16), v128.store(c, s2, 32), v128.store(c, s3, 48);
  v128.store(c, s4, 64), v128.store(c, s5, 80), v128.store(c, s6, 96), v128.store(c, s7, 112);
}

function block1x8(a: usize, b: usize, bStride: usize, c: usize, k: i32, add: bool): void {
  let s0 = f32x4.splat(0), s1 = s0;
  if (add) s0 = v128.load(c), s1 = v128.load(c, 16);
  for (const end = a + (<usize>k << 2); a < end; a += 4, b += bStride) {
    const x = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(x, v128.load(b, 16)));
  }
  v128.store(c, s0), v128.store(c, s1, 16);
}

/** A[rows, cols] to B[cols, rows]; both numbers multiples of 4. */
export function transpose(a: usize, aStride: usize, b: usize, bStride: usize, rows: i32, cols: i32): void {
  for (let row = 0; row < rows; row += 4, a += aStride << 2, b += 16) {
    let to = b;
    for (let at = a, end = a + (<usize>cols << 2); at < end; at += 16, to += bStride << 2) {
      const x0 = v128.load(at), x1 = v128.load(at + aStride);
      const x2 = v128.load(at + 2 * aStride), x3 = v128.load(at + 3 * aStride);
      const low0 = i32x4.shuffle(x0, x1, 0, 4, 1, 5), low1 = i32x4.shuffle(x2, x3, 0, 4, 1, 5);
      const high0 = i32x4.shuffle(x0, x1, 2, 6, 3, 7), high1 = i32x4.shuffle(x2, x3, 2, 6, 3, 7);
      v128.store(to, i64x2.shuffle(low0, low1, 0, 2));
      v128.store(to + bStride, i64x2.shuffle(low0, low1, 1, 3));
      v128.store(to + 2 * bStride, i64x2.shuffle(high0, high1, 0, 2));
      v128.store(to + 3 * bStride, i64x2.shuffle(high0, high1, 1, 3));
    }
  }
}
