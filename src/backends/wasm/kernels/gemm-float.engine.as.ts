/**
 * The product of f32 activations with F32, F16 and BF16 weights, in f32 throughout.
 *
 * As in gemm-int.engine.as.ts, a thread claims 32 rows and widens panels of them to f32 in its scratch. F32 weights
 * are read where they lie when tokens are few. Sums run over 512 columns in four lanes, lanes are added as
 * (0 + 2) + (1 + 3), panels in their order: a token gives the same bits in any batch.
 */
import { FLOAT_COLS, FLOAT_STRIDE, PANEL_ROWS } from './panel.as';
import { tileFloat1, tileFloat2 } from './tile-float.as';
import { F32, valueBytes, widenRow } from './widen.as';

/**
 * y[t, n] = sum over k of x[t, k] w[n, k].
 * @param scratch 67,584 bytes: 32 rows of FLOAT_STRIDE. @param type F32, F16 or BF16 (widen.as.ts).
 * @param panelRows rows widened at a time: 4, or 32 to have them in a panel even where they are f32.
 */
export function matmul_float(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, type: i32,
  x: usize, xStride: usize, tokens: i32, y: usize, yStride: usize, panelRows: i32,
): void {
  const rowBytes = <usize>cols * valueBytes(type);
  while (true) {
    const piece = atomic.add<i32>(counter, 1) * PANEL_ROWS;
    if (piece >= rows) return;
    const end = min(rows, piece + PANEL_ROWS);
    for (let row = piece; row < end; row += panelRows) {
      const count = min(panelRows, end - row);
      const inPlace = type == F32 && count == 4;
      const out = y + (<usize>row << 2);
      for (let col = 0; col < cols; col += FLOAT_COLS) {
        const width = min(FLOAT_COLS, cols - col);
        const from = weights + <usize>row * rowBytes + <usize>col * valueBytes(type);
        if (!inPlace) {
          for (let r = 0; r < count; r++) {
            widenRow(type, from + <usize>r * rowBytes, width, scratch + <usize>r * FLOAT_STRIDE);
          }
        }
        panelTimesTokens(
          inPlace ? from : scratch, inPlace ? rowBytes : FLOAT_STRIDE, count, width,
          x + (<usize>col << 2), xStride, tokens, out, yStride, col == 0,
        );
      }
    }
  }
}

function panelTimesTokens(
  panel: usize, stride: usize, rows: i32, width: i32,
  x: usize, xStride: usize, tokens: i32, y: usize, yStride: usize, first: bool,
): void {
  for (let t = 0; t < tokens; t += 2) {
    const a0 = x + <usize>t * xStride, a1 = a0 + xStride;
    const pair = t + 1 < tokens;
    for (let row = 0; row < rows; row += 4) {
      const w = panel + <usize>row * stride;
      const y0 = y + <usize>t * yStride + (<usize>row << 2), y1 = y0 + yStride;
      const count = min(4, rows - row);
      if (pair && stride == FLOAT_STRIDE) {
        tileFloat2(w, width, a0, a1, y0, y1, first, count);
      } else {
        tileFloat1(w, stride, width, a0, y0, first, count);
        if (pair) tileFloat1(w, stride, width, a1, y1, first, count);
      }
    }
  }
}
