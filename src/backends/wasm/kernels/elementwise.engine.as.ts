/** Element-wise kernels: sums, bias, gated activation, copies of rows. Matrices are an address and a row stride. */
import { exp4 } from './exp.as';
import { claim, PIECE, piecesOf, rowAt } from './work.as';

/** out = a + b, all [rows, cols]. */
export function add(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  a: usize, aStride: i32, b: usize, bStride: i32, out: usize, outStride: i32, rows: i32, cols: i32,
): void {
  const pieces = piecesOf(cols);
  for (let piece = claim(counter); piece < rows * pieces; piece = claim(counter)) {
    const row = piece / pieces;
    const from = (piece % pieces) * PIECE;
    const left = rowAt(a, row, aStride);
    const right = rowAt(b, row, bStride);
    const target = rowAt(out, row, outStride);
    const end = <usize>min(from + PIECE, cols) * 4;
    let at = <usize>from * 4;
    for (; at + 16 <= end; at += 16) {
      v128.store(target + at, f32x4.add(v128.load(left + at), v128.load(right + at)));
    }
    for (; at < end; at += 4) store<f32>(target + at, load<f32>(left + at) + load<f32>(right + at));
  }
}

/** out = gate / (1 + e^-gate) * up, all [rows, cols]. */
export function swiglu(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  gate: usize, gateStride: i32, up: usize, upStride: i32, out: usize, outStride: i32, rows: i32, cols: i32,
): void {
  const pieces = piecesOf(cols);
  for (let piece = claim(counter); piece < rows * pieces; piece = claim(counter)) {
    const row = piece / pieces;
    const from = (piece % pieces) * PIECE;
    const g = rowAt(gate, row, gateStride);
    const u = rowAt(up, row, upStride);
    const target = rowAt(out, row, outStride);
    const end = <usize>min(from + PIECE, cols) * 4;
    let at = <usize>from * 4;
    for (; at + 16 <= end; at += 16) {
      v128.store(target + at, f32x4.mul(silu(v128.load(g + at)), v128.load(u + at)));
    }
    for (; at < end; at += 4) {
      const value = f32x4.extract_lane(silu(v128.load32_splat(g + at)), 0);
      store<f32>(target + at, value * load<f32>(u + at));
    }
  }
}

function silu(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(x, f32x4.add(one, exp4(f32x4.neg(x))));
}

/** out[s] = x[select[s]], each `bytes` long. Traps where select is not below `limit`. */
export function rows(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  x: usize, xStride: i32, select: usize, selectStride: i32, out: usize, outStride: i32,
  count: i32, bytes: i32, limit: i32,
): void {
  for (let row = claim(counter); row < count; row = claim(counter)) {
    const source = load<u32>(rowAt(select, row, selectStride));
    if (source >= <u32>limit) unreachable();
    memory.copy(rowAt(out, row, outStride), rowAt(x, source, xStride), bytes);
  }
}
