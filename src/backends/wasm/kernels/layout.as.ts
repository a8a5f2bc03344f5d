/**
 * How the operands of the matrix products lie in memory: TypeScript and AssemblyScript at once, so that lowering
 * and kernels agree. Sizes and offsets are bytes unless said otherwise.
 *
 * Quantized activations are records, one a group of columns. Tokens go in pairs: group 0 of token 0, group 0 of
 * token 1, group 1 of token 0, ...; so a tile finds both tokens of a pair at one address. A single last token
 * leaves gaps for its missing partner.
 *
 * A panel is up to 32 weight rows by up to 1024 columns as integers (or 512 as f32), expanded in a thread's
 * scratch. Its rows are 2048 + 64 bytes apart, an odd number of cache lines, so that the four rows of a tile do not
 * fall into the same sets of the cache.
 */

/** Weights of a group in formats of 256; the others have groups of 32 or 16. */
export const WIDE = 256;
/** Record of a wide group: 256 i16 codes, the i16 sums of every 16, the scale as f32, padding to cache lines. */
export const WIDE_SUMS = 512;
export const WIDE_SCALE = 544;
export const WIDE_RECORD = 576;
/** Record of a group of 32 or 16: room for 32 i16 codes, the scale and scale * sum as f32, padding. */
export const NARROW_SCALE = 64;
export const NARROW_SUM = 68;
export const NARROW_RECORD = 80;

/** Columns and rows of a panel; the columns are a multiple of every block. */
export const PANEL_COLS = 1024;
export const PANEL_ROWS = 32;
/** From row to row of codes (i16), of (d, dmin) pairs (f32, at most 64 groups of 16) and of mins (i16). */
export const CODE_STRIDE = 2112;
export const PAIR_STRIDE = 576;
export const MIN_STRIDE = 128;
/** Where the pairs and the mins of all rows begin, and the size of the whole. */
export const PAIRS_AT = 32 * CODE_STRIDE;
export const MINS_AT = PAIRS_AT + 32 * PAIR_STRIDE;
/** The pairs of four rows side by side, for their tiles: of each group d of the four, then dmin of the four. */
export const QUADS_AT = MINS_AT + 32 * MIN_STRIDE;
export const QUAD_BYTES = 32;
export const PANEL_BYTES = QUADS_AT + 64 * QUAD_BYTES;

/** 1024 columns of a single row: the codes, then pairs and mins. */
export const ROW_PAIRS = 2048;
export const ROW_MINS = ROW_PAIRS + 512;
export const ROW_BYTES = ROW_MINS + 128;

/** Columns of a panel of f32, from row to row, and the size of the whole. */
export const FLOAT_COLS = 512;
export const FLOAT_STRIDE = 2112;
export const FLOAT_PANEL_BYTES = 32 * FLOAT_STRIDE;


/** Types of float weights, as the kernels' `type` argument says them. */
export const F32 = 0;
export const F16 = 1;
export const BF16 = 2;
