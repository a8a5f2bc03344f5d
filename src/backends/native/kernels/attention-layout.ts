/**
 * Sizes that attention's kernels and their lowering share. Letters: D head size, padded D: up to whole vectors of every
 * level.
 */

/** Keys and values that are converted to f32 at a time: both tiles, of 96 columns, take 48 KiB. */
export const TILE_KEYS = 64;
/**
 * Positions whose softmax has a running maximum of its own. Parts begin at multiples of this in a sequence and are
 * put together in their order, so it makes no difference to the bits which thread had which part.
 */
export const PART_KEYS = 256;
/** Rows that a product takes at once at most. */
export const BLOCK_ROWS = 6;
/** Rows of flash attention that share a converted tile: the conversion is a twentieth of the arithmetic. */
export const FLASH_ROWS = 96;
/** The same for eager attention, which keeps as many whole rows of scores. */
export const EAGER_ROWS = 24;
/** Bytes of a thread's local variables, at the begin of its scratch. */
export const FRAME_BYTES = 1024;
/** f32 numbers of a vector, of the widest level. */
const VECTOR = 16;

/** Columns of a head in scratch. */
export const paddedSize = (size: number): number => Math.ceil(size / VECTOR) * VECTOR;

/** Bytes of a row's state: its weighted sum of values [padded D], the sums of its weights and the largest score. */
export const recordBytes = (size: number): number => 4 * (paddedSize(size) + 2 * VECTOR);

/** Scratch bytes of a thread. @param rows of a piece at most. @param scores numbers in a row of scores. */
export function attentionScratch(rows: number, size: number, scores: number): number {
  // The last block of rows may be filled up.
  const room = rows + BLOCK_ROWS;
  const row = 4 * paddedSize(size);
  const positions = Math.ceil(room / VECTOR) * 4 * VECTOR;
  const perRow = row + 2 * recordBytes(size) + 4 * scores;
  return FRAME_BYTES + 2 * TILE_KEYS * row + positions + room * perRow;
}
