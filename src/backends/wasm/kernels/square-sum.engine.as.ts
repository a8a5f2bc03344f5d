/** Sums of squares by column, for the importance matrix. */
import { claim, rowAt } from './work.as';

/** Columns that one thread claims at a time: 2 KiB of sums stay in the nearest cache. */
const COLUMNS = 256;

/** sums[c] += x[r, c]^2, rows in order, in f64; x f32 [rows, cols], sums f64 [cols]. */
export function square_sum(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  x: usize, xStride: i32, sums: usize, rows: i32, cols: i32,
): void {
  for (let piece = claim(counter); piece * COLUMNS < cols; piece = claim(counter)) {
    const from = piece * COLUMNS;
    const count = min(COLUMNS, cols - from);
    for (let row = 0; row < rows; row++) {
      addSquares(rowAt(x, row, xStride) + (<usize>from << 2), sums + (<usize>from << 3), count);
    }
  }
}

function addSquares(x: usize, sums: usize, count: i32): void {
  let i = 0;
  for (; i + 2 <= count; i += 2) {
    const two = f64x2.promote_low_f32x4(v128.load64_zero(x));
    v128.store(sums, f64x2.add(v128.load(sums), f64x2.mul(two, two)));
    x += 8;
    sums += 16;
  }
  if (i < count) {
    const one = <f64>load<f32>(x);
    store<f64>(sums, load<f64>(sums) + one * one);
  }
}
