/** Peak rates of AMX: products of whole tiles, four sums in turn, as the unit takes 16 cycles each and 52 to the result. */
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import { TILES, type Tile } from '../x64/index.ts';
import { defineProbe } from './probe.ts';

/** Of a tile: rows, and bytes a row. */
const [ROWS, ROW_BYTES] = [16, 64];
const [SUMS, LEFT, RIGHT] = [TILES.slice(0, 4), TILES.slice(4, 6), TILES.slice(6, 8)];

/** Palette 1, all eight tiles of full size. Source: Intel SDM volume 1, 18.3. */
function configuration(): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  for (const { code } of TILES) {
    view.setUint16(16 + 2 * code, ROW_BYTES, true);
    view.setUint8(48 + code, ROWS);
  }
  return bytes;
}

function onTiles(name: string, product: (k: KernelBuilder<'loops'>, sum: Tile, a: Tile, b: Tile) => void) {
  return defineKernel({
    name,
    args: ['loops'],
    emit: (k) => {
      const loops = k.int('loops');
      k.x.ldtilecfg(k.constant(configuration()));
      for (const tile of TILES) k.x.tilezero(tile);
      k.countdown(loops, () => {
        SUMS.forEach((sum, i) => {
          product(k, sum, LEFT[i >> 1], RIGHT[i & 1]);
        });
      });
      k.x.tilerelease();
    },
  });
}

/** Bytes into i32. */
export const amxInt8 = defineProbe({
  kernel: onTiles('probe_amx_int8', ({ x }, sum, a, b) => x.tdpbusd(sum, a, b)),
  operations: () => SUMS.length * 2 * ROWS * ROWS * ROW_BYTES,
  runs: (_level, features) => features.amx,
});

/** bf16 into f32. */
export const amxBf16 = defineProbe({
  kernel: onTiles('probe_amx_bf16', ({ x }, sum, a, b) => x.tdpbf16ps(sum, a, b)),
  operations: () => (SUMS.length * 2 * ROWS * ROWS * ROW_BYTES) / 2,
  runs: (_level, features) => features.amx,
});
