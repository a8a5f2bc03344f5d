/** 16 x 16 dwords transposed in zmm registers: pairs of rows interleaved twice, then the 128-bit lanes change places. */
import type { KernelBuilder } from '../../kernel.ts';
import type { Memory, Vec } from '../../x64/index.ts';

type Mix = (target: Vec, a: Vec, b: Vec) => void;

/** Vectors i and j become `low` and `high` of themselves. Uses the spare register, and leaves another one spare. */
class Butterfly {
  readonly #rows: Vec[];
  #spare: Vec;

  constructor(rows: readonly Vec[], spare: Vec) {
    this.#rows = [...rows];
    this.#spare = spare;
  }

  mix(i: number, j: number, low: Mix, high: Mix): void {
    const [a, b] = [this.#rows[i], this.#rows[j]];
    low(this.#spare, a, b);
    high(b, a, b);
    this.#rows[i] = this.#spare;
    this.#spare = a;
  }

  at(i: number): Vec {
    return this.#rows[i];
  }
}

/** Row i of the result, to `to(i)`, is column i of the rows `from(0)` to `from(15)`. All are read before any is written. */
export function transpose16(
  k: KernelBuilder,
  from: (row: number) => Memory,
  to: (row: number) => Memory,
): void {
  const { x } = k;
  k.scope(() => {
    const registers = k.vecs('row', 16);
    registers.forEach((register, i) => void x.vmovups(register, from(i)));
    const rows = new Butterfly(registers, k.vec('spare'));
    const lanes =
      (order: number): Mix =>
      (target, a, b) =>
        x.vshufi32x4(target, a, b, order);
    for (let i = 0; i < 16; i += 2) rows.mix(i, i + 1, x.vpunpckldq, x.vpunpckhdq);
    for (let i = 0; i < 16; i += 4) {
      rows.mix(i, i + 2, x.vpunpcklqdq, x.vpunpckhqdq); // columns 0 and 1 of each lane
      rows.mix(i + 1, i + 3, x.vpunpcklqdq, x.vpunpckhqdq); // columns 2 and 3
    }
    // Place of column j of every lane within the four vectors of a group of rows.
    [0, 2, 1, 3].forEach((place, j) => {
      const [p, q, r, s] = [place, place + 4, place + 8, place + 12];
      for (const [a, b] of [
        [p, q],
        [r, s],
      ]) {
        rows.mix(a, b, lanes(0x88), lanes(0xdd)); // even lanes, odd lanes
      }
      for (const [a, b, lane] of [
        [p, r, 0],
        [q, s, 1],
      ]) {
        rows.mix(a, b, lanes(0x88), lanes(0xdd));
        x.vmovups_store(to(4 * lane + j), rows.at(a));
        x.vmovups_store(to(4 * (lane + 2) + j), rows.at(b));
      }
    });
  });
}
