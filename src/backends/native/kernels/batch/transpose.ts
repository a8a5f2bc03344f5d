/**
 * A square of dwords transposed in registers: 16 x 16 in 512-bit vectors, 8 x 8 in 256-bit ones. Pairs of rows are
 * interleaved inside 128-bit lanes twice, then the lanes change places.
 */
import type { KernelBuilder } from '../../kernel.ts';
import type { Memory, Vec } from '../../x64/index.ts';

/**
 * @param row place of a row's vector.
 * @param use takes a column; it may destroy the register.
 */
export function transpose(
  k: KernelBuilder,
  row: (i: number) => Memory,
  use: (column: number, vector: Vec) => void,
): void {
  k.scope(() => {
    const quads = Array.from({ length: k.lanes / 4 }, (_, i) => interleave(k, (j) => row(4 * i + j)));
    for (let j = 0; j < 4; j++) {
      const parts = quads.map((quad) => quad[j]);
      if (k.level.avx512) lanes512(k, parts, (q, vector) => use(4 * q + j, vector));
      else lanes256(k, parts, (q, vector) => use(4 * q + j, vector));
    }
  });
}

/** Four rows; vector j of the result holds, in 128-bit lane q, column 4 q + j of them. */
function interleave(k: KernelBuilder, row: (j: number) => Memory): Vec[] {
  const [a, b, c, d, e] = k.vecs('quad', 5);
  k.x.vmovdqu(a, row(0));
  k.x.vmovdqu(c, row(2));
  k.x.vpunpckhdq(b, a, row(1));
  k.x.vpunpckldq(a, a, row(1));
  k.x.vpunpckhdq(d, c, row(3));
  k.x.vpunpckldq(c, c, row(3));
  k.x.vpunpckhqdq(e, a, c);
  k.x.vpunpcklqdq(a, a, c);
  k.x.vpunpcklqdq(c, b, d);
  k.x.vpunpckhqdq(d, b, d);
  k.free(b);
  return [a, e, c, d];
}

function lanes512(
  k: KernelBuilder,
  [a, b, c, d]: readonly Vec[],
  use: (q: number, vector: Vec) => void,
): void {
  k.scope(() => {
    const [low, high] = k.vecs('lanes', 2);
    k.x.vshufi32x4(low, a, b, 0x44);
    k.x.vshufi32x4(high, c, d, 0x44);
    k.x.vshufi32x4(a, a, b, 0xee);
    k.x.vshufi32x4(c, c, d, 0xee);
    k.x.vshufi32x4(b, low, high, 0x88);
    use(0, b);
    k.x.vshufi32x4(d, low, high, 0xdd);
    use(1, d);
    k.x.vshufi32x4(low, a, c, 0x88);
    use(2, low);
    k.x.vshufi32x4(high, a, c, 0xdd);
    use(3, high);
  });
}

function lanes256(k: KernelBuilder, [a, b]: readonly Vec[], use: (q: number, vector: Vec) => void): void {
  k.scope(() => {
    const low = k.vec('column');
    k.x.vperm2i128(low, a, b, 0x20);
    k.x.vperm2i128(a, a, b, 0x31);
    use(0, low);
    use(1, a);
  });
}
