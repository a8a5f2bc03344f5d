/** Tiles, as kernels use them: eight registers of up to 16 rows of 64 bytes. */
import type { Gpr, Tile } from '../../x64/index.ts';

/** Rows, and bytes of a row: at most 16 and 64. */
export interface TileShape {
  readonly rows: number;
  readonly bytes: number;
}

/** What emits steps on tiles. It changes no register but the flags. */
export interface TileUnit {
  /** Before all loops: gives the tiles their shapes, from tile 0 on, and fills them with zeros. */
  begin(shapes: readonly TileShape[]): void;
  zero(tile: Tile): void;
  /** Row i from `base + disp + i * stride`. */
  load(tile: Tile, base: Gpr, disp: number, stride: Gpr): void;
  store(tile: Tile, base: Gpr, disp: number, stride: Gpr): void;
  /** `sum[m][n] += a[m][2 i] * b[i][2 n] + a[m][2 i + 1] * b[i][2 n + 1]` over all i: f32 and bf16. */
  multiplyBf16(sum: Tile, a: Tile, b: Tile): void;
  /** `sum[m][n] +=` four products of `a[m][4 i ..]` and `b[i][4 n ..]` over all i: i32 and i8. */
  multiplyI8(sum: Tile, a: Tile, b: Tile): void;
  /** After all loops: gives the tiles back. */
  end(): void;
}

/** The 64 bytes that `ldtilecfg` reads, palette 1. Source: Intel SDM volume 1, chapter 18. */
export function tileConfiguration(shapes: readonly TileShape[]): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  bytes[0] = 1;
  shapes.forEach(({ rows, bytes: columns }, tile) => {
    if (rows < 1 || rows > 16 || columns < 4 || columns > 64 || columns % 4) {
      throw new Error(`tile ${tile} of ${rows} rows of ${columns} bytes: at most 16 of 64, a multiple of 4`);
    }
    view.setUint16(16 + 2 * tile, columns, true);
    bytes[48 + tile] = rows;
  });
  return bytes;
}
