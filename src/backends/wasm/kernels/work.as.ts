/** How threads share the work of a command. */

/** Columns of a piece of element-wise work: 4 KiB of f32, a microsecond or so. */
export const PIECE = 1024;

/** The next unclaimed piece of the command; each number is handed out once. */
export function claim(counter: usize): i32 {
  return atomic.add<i32>(counter, 1);
}

/** Pieces that a row of `cols` columns is cut into. */
export function piecesOf(cols: i32): i32 {
  return (cols + PIECE - 1) / PIECE;
}

/** Address of row `row`; products of row and stride pass 2 GiB, so they are unsigned. */
export function rowAt(address: usize, row: i32, stride: i32): usize {
  return address + <usize>row * <usize>stride;
}
