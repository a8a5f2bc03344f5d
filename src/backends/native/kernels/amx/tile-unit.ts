/**
 * The two kinds of tile units: the AMX instructions, and the same steps made with AVX-512 for machines that have no AMX,
 * where they serve to test the kernels.
 */
import type { KernelBuilder } from '../../kernel.ts';
import { type Gpr, memAt, type Tile } from '../../x64/index.ts';
import { EmulatedTiles } from './emulated-tiles.ts';
import { type TileShape, type TileUnit, tileConfiguration } from './tiles.ts';

/** @throws Error: the level has no tiles. */
export function tileUnit(k: KernelBuilder): TileUnit {
  if (k.level.amx === 'hardware') return new HardwareTiles(k);
  if (k.level.amx === 'emulated') return new EmulatedTiles(k);
  throw new Error(`the level ${k.level.name} has no tiles`);
}

class HardwareTiles implements TileUnit {
  readonly #k: KernelBuilder;

  constructor(k: KernelBuilder) {
    this.#k = k;
  }

  begin(shapes: readonly TileShape[]): void {
    this.#k.x.ldtilecfg(this.#k.constant(tileConfiguration(shapes)));
  }

  zero(tile: Tile): void {
    this.#k.x.tilezero(tile);
  }

  load(tile: Tile, base: Gpr, disp: number, stride: Gpr): void {
    this.#k.x.tileloadd(tile, memAt(base, stride, 1, disp));
  }

  store(tile: Tile, base: Gpr, disp: number, stride: Gpr): void {
    this.#k.x.tilestored(memAt(base, stride, 1, disp), tile);
  }

  multiplyBf16(sum: Tile, a: Tile, b: Tile): void {
    this.#k.x.tdpbf16ps(sum, a, b);
  }

  multiplyI8(sum: Tile, a: Tile, b: Tile): void {
    this.#k.x.tdpbssd(sum, a, b);
  }

  end(): void {
    this.#k.x.tilerelease();
  }
}
