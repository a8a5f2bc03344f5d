/**
 * Sizes and places of products with tiles: f32 numbers as sums of bf16 terms, and how terms lie in memory so that a tile
 * is 1 KiB of neighbours.
 *
 * Letters: S steps of 32 columns, T terms of an activation, W terms of a weight.
 */

/**
 * Terms of 8 bits each that numbers are split into. Products of terms a and w are made where a + w is below the larger of
 * both counts: the others are smaller than what is lost anyway.
 */
export interface Terms {
  readonly activations: 1 | 2 | 3;
  readonly weights: 1 | 2 | 3;
}

/** Pairs of an activation's and a weight's term that are multiplied. */
export function termPairs({
  activations,
  weights,
}: Terms): readonly { readonly a: number; readonly w: number }[] {
  const most = Math.max(activations, weights);
  return Array.from({ length: weights }, (_, w) =>
    Array.from({ length: activations }, (_, a) => ({ a, w })).filter(({ a }) => a + w < most),
  ).flat();
}

/** Tokens of a tile, weight rows of a tile, columns of a tile. */
export const TILE_TOKENS = 16;
export const TILE_ROWS = 16;
export const STEP = 32;
/** Bytes of a tile. */
export const TILE_BYTES = 1024;
/** Two tiles by two: of tokens, and of weight rows. */
export const PAIR = 2;
export const PANEL_ROWS = PAIR * TILE_ROWS;
/** Tokens whose activations stay in the second cache while panels of weights pass by. */
export const PANEL_TOKENS = 256;

/** Steps of a chunk of columns: 256 tokens and 32 rows of them fit the second cache, 2 MiB. */
export const chunkSteps = ({ activations }: Terms): number => 8 * Math.floor(12 / activations);

/**
 * Where `tile_activations` leaves terms: bf16 [groups of 16 tokens][S][T][16 pairs of columns][16 tokens][2]. There are as
 * many groups as pairs of tiles need; tokens and columns that are not there are zeros. The begin is a multiple of 64.
 */
export interface TileLayout {
  readonly groups: number;
  readonly steps: number;
  /** Bytes of a group. */
  readonly groupBytes: number;
  readonly bytes: number;
}

export function tileLayout(tokens: number, cols: number, terms: number): TileLayout {
  const groups = PAIR * Math.ceil(tokens / (PAIR * TILE_TOKENS));
  const steps = Math.ceil(cols / STEP);
  const groupBytes = steps * terms * TILE_BYTES;
  return { groups, steps, groupBytes, bytes: groups * groupBytes };
}
