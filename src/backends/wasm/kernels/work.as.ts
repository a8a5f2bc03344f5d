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

/** Claims a thread of a product makes of its rows where tokens are few: enough that no thread waits long for another. */
const CLAIMS: i32 = 8;

/**
 * Weight rows to claim at a time where tokens are few and reading the weights takes the time: long stretches of memory,
 * because each new one costs the prefetcher its start (16 rows at a time cost two threads a third of their speed).
 * A multiple of 16, so that two threads never write into one cache line.
 */
export function rowsToClaim(rows: i32, threads: i32): i32 {
  return max(16, (rows / (CLAIMS * threads)) & ~15);
}
