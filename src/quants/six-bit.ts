/**
 * What Q4_K and Q5_K share: d, dmin and the 12 bytes with eight 6-bit scales and eight 6-bit mins open a block,
 * the codes follow.
 */
import type { SuperBlock } from './affine-super.ts';
import { viewOf } from './format.ts';

/** Scale of sub-block `sub` (0..7) from the 12 bytes at `at`. */
export function sixBitScale(view: DataView, at: number, sub: number): number {
  if (sub < 4) return view.getUint8(at + sub) & 63;
  return (view.getUint8(at + sub + 4) & 15) | ((view.getUint8(at + sub - 4) >> 6) << 4);
}

/** Min of sub-block `sub` (0..7) from the 12 bytes at `at`. */
export function sixBitMin(view: DataView, at: number, sub: number): number {
  if (sub < 4) return view.getUint8(at + sub + 4) & 63;
  return (view.getUint8(at + sub + 4) >> 4) | ((view.getUint8(at + sub) >> 6) << 4);
}

/** Packs eight scales and eight mins (0..63 each) into the 12 bytes at `at`. */
function packSixBit(dst: Uint8Array, at: number, scales: ArrayLike<number>, mins: ArrayLike<number>): void {
  for (let sub = 0; sub < 4; sub++) {
    dst[at + sub] = scales[sub] | ((scales[sub + 4] >> 4) << 6);
    dst[at + 4 + sub] = mins[sub] | ((mins[sub + 4] >> 4) << 6);
    dst[at + 8 + sub] = (scales[sub + 4] & 15) | ((mins[sub + 4] & 15) << 4);
  }
}

/** Writes all of a block but its codes: the 16 bytes at `at`. */
export function packSixBitHead({ d, dmin, scales, mins }: SuperBlock, dst: Uint8Array, at: number): void {
  const view = viewOf(dst);
  view.setUint16(at, d, true);
  view.setUint16(at + 2, dmin, true);
  packSixBit(dst, at + 4, scales, mins);
}
