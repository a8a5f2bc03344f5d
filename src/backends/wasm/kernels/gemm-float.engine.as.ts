/**
 * The product of f32 activations with F32, F16 and BF16 weights, in f32 throughout.
 *
 * As in gemm-int.engine.as.ts, a thread claims 32 rows and widens panels of them to f32 in its scratch. Sums run
 * over 512 columns in four lanes, lanes are added as (0 + 2) + (1 + 3), panels in their order: a token gives the
 * same bits in any batch.
 */
import { BF16, F32, FLOAT_COLS, FLOAT_STRIDE, PANEL_ROWS } from './layout.as';
import { tileFloat1, tileFloat2 } from './tile-float.as';
import { valueBytes, widenRow } from './widen.as';
import { claim, rowsToClaim } from './work.as';

/**
 * y[t, n] = sum over k of x[t, k] w[n, k].
 * @param scratch FLOAT_PANEL_BYTES. @param type F32, F16 or BF16 of layout.as.ts.
 */
export function matmul_float(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, type: i32,
  x: usize, xStride: usize, tokens: i32, y: usize, yStride: usize,
): void {
  const bytes = valueBytes(type);
  const rowBytes = <usize>cols * bytes;
  for (let piece = claim(counter) * PANEL_ROWS; piece < rows; piece = claim(counter) * PANEL_ROWS) {
    const count = min(rows - piece, PANEL_ROWS);
    for (let col = 0; col < cols; col += FLOAT_COLS) {
      const width = min(FLOAT_COLS, cols - col);
      const from = weights + <usize>piece * rowBytes + <usize>col * bytes;
      for (let r = 0; r < count; r++) {
        widenRow(type, from + <usize>r * rowBytes, width, scratch + <usize>r * FLOAT_STRIDE);
      }
      const out = y + (<usize>piece << 2);
      panelTimesTokens(scratch, count, width, x + (<usize>col << 2), xStride, tokens, out, yStride, col == 0);
    }
  }
}

function panelTimesTokens(
  panel: usize, rows: i32, width: i32,
  x: usize, xStride: usize, tokens: i32, y: usize, yStride: usize, first: bool,
): void {
  for (let t = 0; t < tokens; t += 2) {
    const a = x + <usize>t * xStride;
    for (let row = 0; row < rows; row += 4) {
      const w = panel + <usize>row * FLOAT_STRIDE;
      const out = y + <usize>t * yStride + (<usize>row << 2);
      const count = min(4, rows - row);
      if (t + 1 < tokens) tileFloat2(w, width, a, a + xStride, out, out + yStride, first, count);
      else tileFloat1<f32>(w, FLOAT_STRIDE, width, a, out, first, count);
    }
  }
}

/**
 * As matmul_float, with the same results, for one token or two: weights are multiplied where they lie, four rows at a
 * time, and widened anew for each token.
 * @param scratch FLOAT_PANEL_BYTES.
 */
export function matvec_float(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, type: i32,
  x: usize, xStride: usize, tokens: i32, y: usize, yStride: usize,
): void {
  const bytes = valueBytes(type);
  const rowBytes = <usize>cols * bytes;
  const few = rowsToClaim(rows, threads);
  for (let piece = claim(counter) * few; piece < rows; piece = claim(counter) * few) {
    for (let row = piece; row < min(rows, piece + few); row += 4) {
      const count = min(4, rows - row);
      for (let col = 0; col < cols; col += FLOAT_COLS) {
        const width = min(FLOAT_COLS, cols - col);
        let w = weights + <usize>row * rowBytes + <usize>col * bytes;
        let stride = rowBytes;
        if (count < 4) {
          // The missing rows may not be readable memory.
          for (let r = 0; r < count; r++) {
            memory.copy(scratch + <usize>r * FLOAT_STRIDE, w + <usize>r * rowBytes, <usize>width * bytes);
          }
          w = scratch;
          stride = FLOAT_STRIDE;
        }
        for (let t: usize = 0; t < <usize>tokens; t++) {
          const a = x + t * xStride + (<usize>col << 2);
          const out = y + t * yStride + (<usize>row << 2);
          if (type == F32) tileFloat1<f32>(w, stride, width, a, out, col == 0, count);
          else if (type == BF16) tileFloat1<u16>(w, stride, width, a, out, col == 0, count);
          else tileFloat1<i16>(w, stride, width, a, out, col == 0, count);
        }
      }
    }
  }
}
