/** The walk over rows that all block encoders share. */

/**
 * Encodes f32[rows * cols] at `src` block by block to `dst`; each row meets the same importance.
 * @param importance f32[cols], or 0: all equal. @param effort 0 fast, 1 best, handed on.
 * @param blockSize weights a block. @param blockBytes bytes a block.
 * @param encodeBlock encodes the block at `src`, its importance at `importance` or 0.
 */
export function encodeRows(
  src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32, blockSize: i32, blockBytes: usize,
  encodeBlock: (src: usize, dst: usize, importance: usize, effort: i32) => void,
): void {
  const rowEnd = <usize>cols << 2;
  const step = <usize>blockSize << 2;
  for (let row = 0; row < rows; row++) {
    for (let at: usize = 0; at < rowEnd; at += step, src += step, dst += blockBytes) {
      encodeBlock(src, dst, importance ? importance + at : 0, effort);
    }
  }
}
