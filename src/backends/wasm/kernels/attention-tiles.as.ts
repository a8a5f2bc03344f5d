/** Sizes of the tiles of attention. AssemblyScript and TypeScript alike: the lowering counts scratch by them. */

/** Keys and values that are converted to f32 at a time: 32 of 96 columns fill a third of an L1 cache. */
export const TILE_KEYS = 32;
/** Rows of flash attention that share a converted tile, so that the conversion is a tenth of the arithmetic. */
export const FLASH_ROWS = 64;
/** The same for eager attention, which keeps as many whole rows of scores. */
export const EAGER_ROWS = 16;
/** Pieces of a span at least where its rows are few, so that threads share them. */
export const LEAST_PIECES = 16;
/** Heads in scratch are padded with zeros to a multiple of this many columns. */
export const COLUMN_STEP = 8;
