/**
 * Small f32 products in registers: C [rows, n] = A [rows, depth] times B [depth, n], or C += it. `rows` is fixed, the
 * other sizes are not. Every number of C is one chain of fused multiplications and additions in the order of `depth`,
 * whatever the level, the rows and the columns beside it are: so rows have the same bits in any company.
 */
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, type Memory, mem, memAt, plus, type Vec } from '../x64/index.ts';

/** Matrices of a product: where they begin, and bytes from row to row. */
export interface Matrices {
  readonly a: Memory;
  readonly aStride: Memory;
  readonly b: Memory;
  readonly bStride: Memory;
  readonly c: Memory;
  readonly cStride: Memory;
  readonly depth: Memory;
  /** Vectors of a row of C. */
  readonly vectors: Memory;
}

/** Vectors of C's columns at once, by rows: as many sums as registers allow, and enough to hide an addition's time. */
const WIDTHS = {
  avx2: { 1: [8, 4, 2, 1], 2: [4, 2, 1], 4: [2, 1], 6: [2, 1] },
  avx512: { 1: [8, 4, 2, 1], 2: [8, 4, 2, 1], 4: [4, 2, 1], 6: [4, 2, 1] },
} as const;

/** Rows that a product can have. */
export const PRODUCT_ROWS = [6, 4, 2, 1] as const;
export type ProductRows = (typeof PRODUCT_ROWS)[number];

/** Steps of depth without a jump between them. */
const UNROLL = 4;

/** Registers of a product. Rows 0 to 2 are `first`, `first + stride`, `first + 2 * stride`; 3 to 5 the same from `second`. */
interface Rows {
  readonly first: Gpr;
  readonly second: Gpr | undefined;
  readonly stride: Gpr;
}

function rowOf({ first, second, stride }: Rows, row: number, disp = 0): Memory {
  const base = row < 3 || !second ? first : second;
  const within = row < 3 ? row : row - 3;
  return within === 0 ? mem(base, disp) : memAt(base, stride, within === 1 ? 1 : 2, disp);
}

function rowsAt(k: KernelBuilder, name: string, rows: number, from: Memory, stride: Memory): Rows {
  const all = {
    first: k.gpr(name),
    second: rows > 3 ? k.gpr(`${name}3`) : undefined,
    stride: k.gpr('stride'),
  };
  k.x.mov(all.stride, stride);
  begin(k, all, from);
  return all;
}

function begin(k: KernelBuilder, { first, second, stride }: Rows, from: Memory): void {
  k.x.mov(first, from);
  if (!second) return;
  k.x.lea(second, memAt(first, stride, 2));
  k.x.add(second, stride);
}

function advance(k: KernelBuilder, { first, second }: Rows, bytes: number): void {
  k.x.add(first, bytes);
  if (second) k.x.add(second, bytes);
}

/** How the numbers of B are stored. */
export type ProductType = 'f32' | 'f16';

/** Bytes of what becomes a vector of B. */
const vectorBytes = (k: KernelBuilder, type: ProductType): number =>
  type === 'f16' ? k.level.bytes / 2 : k.level.bytes;

/** One step of depth: every sum += a[row] * b[vector]. */
function step(
  k: KernelBuilder,
  sums: readonly (readonly Vec[])[],
  a: (row: number) => Memory,
  b: Gpr,
  type: ProductType,
): void {
  const vector = (i: number): Memory => mem(b, i * vectorBytes(k, type));
  k.scope(() => {
    const factor = k.vec('factor');
    const load = type === 'f16' ? 'vcvtph2ps' : 'vmovups';
    if (sums.length === 1) {
      k.x.vbroadcastss(factor, a(0));
      const column = k.vec('column');
      sums[0].forEach((sum, i) => {
        if (type === 'f16') k.x.vcvtph2ps(column, vector(i));
        k.x.vfmadd231ps(sum, factor, type === 'f16' ? column : vector(i));
      });
      return;
    }
    const columns = sums[0].map((_, i) => k.vec(`b${i}`));
    columns.forEach((column, i) => {
      k.x[load](column, vector(i));
    });
    sums.forEach((row, r) => {
      k.x.vbroadcastss(factor, a(r));
      row.forEach((sum, i) => {
        k.x.vfmadd231ps(sum, factor, columns[i]);
      });
    });
  });
}

/** Sums over the whole depth. `a` and `b` run along. */
function chain(
  k: KernelBuilder,
  m: Matrices,
  a: Rows,
  b: { readonly at: Gpr; readonly stride: Gpr; readonly type: ProductType },
  sums: readonly Vec[][],
): void {
  k.scope(() => {
    const count = k.gpr('count');
    const steps = (many: number): void => {
      for (let i = 0; i < many; i++) {
        step(k, sums, (row) => rowOf(a, row, 4 * i), b.at, b.type);
        k.x.add(b.at, b.stride);
      }
      advance(k, a, 4 * many);
    };
    k.x.mov(count, m.depth);
    k.x.shr(count, Math.log2(UNROLL));
    k.countdown(count, () => steps(UNROLL));
    k.x.mov(count, m.depth);
    k.x.and(count, UNROLL - 1);
    k.countdown(count, () => steps(1));
  });
}

/** Emits the product. `add`: whether it is added to C. `type` is B's. */
export function product(
  k: KernelBuilder,
  rows: ProductRows,
  m: Matrices,
  { add, type = 'f32' }: { readonly add: boolean; readonly type?: ProductType },
): void {
  k.scope(() => {
    const c = rowsAt(k, 'c', rows, m.c, m.cStride);
    const a = rowsAt(k, 'a', rows, m.a, m.aStride);
    const [columns, b, bStride, vectors] = ['columns', 'b', 'bStride', 'vectors'].map((name) => k.gpr(name));
    k.x.mov(columns, m.b);
    k.x.mov(bStride, m.bStride);
    k.x.mov(vectors, m.vectors);
    for (const width of WIDTHS[k.level.avx512 ? 'avx512' : 'avx2'][rows]) {
      const next = k.label();
      const top = k.here();
      k.x.cmp(vectors, width);
      k.j('l', next);
      begin(k, a, m.a);
      k.x.mov(b, columns);
      k.scope(() => {
        const sums = Array.from({ length: rows }, (_, row) => k.vecs(`sum${row}.`, width));
        eachSum(sums, (sum, row, i) => {
          if (add) k.x.vmovups(sum, plus(rowOf(c, row), i * k.level.bytes));
          else k.zero(sum);
        });
        chain(k, m, a, { at: b, stride: bStride, type }, sums);
        eachSum(sums, (sum, row, i) => k.x.vmovups_store(plus(rowOf(c, row), i * k.level.bytes), sum));
      });
      advance(k, c, width * k.level.bytes);
      k.x.add(columns, width * vectorBytes(k, type));
      k.x.sub(vectors, width);
      k.jmp(top);
      k.bind(next);
    }
  });
}

function eachSum(sums: readonly Vec[][], body: (sum: Vec, row: number, vector: number) => void): void {
  sums.forEach((row, r) => {
    row.forEach((sum, i) => {
      body(sum, r, i);
    });
  });
}
