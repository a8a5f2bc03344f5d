/**
 * How the threads share rows, and rows in pieces. What a kernel computes of a piece never depends on who does it.
 * Matrices are named: `x` stands for the arguments `x`, the address of its first row, and `xStride`, bytes from row to row.
 */
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, type Label, type Memory, mem, rsp } from '../x64/index.ts';

/** Columns of a piece of element-wise work: 4 KiB of f32, some hundred nanoseconds. */
export const PIECE = 1024;

/** Gives back the registers that a kernel of claimed work without scratch does not need. */
export function spare(k: KernelBuilder): void {
  k.free(k.thread, k.threads, k.scratch);
}

/** `target` = address of a row of a named matrix. */
export function rowAddress(k: KernelBuilder, target: Gpr, name: string, row: Gpr | Memory): void {
  const start = k.gpr(name);
  k.x.vcvttsd2si(target, k.arg(`${name}Stride`));
  k.x.imul(target, row);
  k.x.vcvttsd2si(start, k.arg(name));
  k.x.add(target, start);
  k.free(start);
}

/** Addresses of a row of several matrices in registers of their own. */
function rowAddresses(k: KernelBuilder, names: readonly string[], row: Gpr | Memory): Gpr[] {
  return names.map((name) => {
    const target = k.gpr(`row of ${name}`);
    rowAddress(k, target, name, row);
    return target;
  });
}

/** Goes to `next`, and the run is refused, unless `index` (unsigned) is below the limit. */
export function checkIndex(k: KernelBuilder, index: Gpr, limit: Gpr | Memory, next: Label): void {
  k.x.cmp(index, limit);
  k.when('ae', () => {
    k.refuse();
    k.jmp(next);
  });
}

/** Goes to `next`, and the run is refused, unless the index in `index` is below the integer argument `limit`. */
export function checkIndexArg(k: KernelBuilder, index: Gpr, limit: string, next: Label): void {
  const bound = k.int(limit);
  checkIndex(k, index, bound, next);
  k.free(bound);
}

/**
 * Emits `body` for each row that this thread claims of `rows`.
 * @param names matrices whose row's addresses the body gets; it may change these. @param next where it may jump to be done.
 */
export function eachRow(
  k: KernelBuilder,
  names: readonly string[],
  body: (at: readonly Gpr[], next: Label, row: Gpr) => void,
  rows = 'rows',
): void {
  const [next, out] = [k.label(), k.label()];
  const row = k.gpr('row');
  k.bind(next);
  k.claim(row);
  const limit = k.int(rows);
  k.x.cmp(row, limit);
  k.free(limit);
  k.j('ge', out);
  const at = rowAddresses(k, names, row);
  body(at, next, row);
  k.jmp(next);
  k.free(row, ...at);
  k.bind(out);
}

/** Below rsp: row of the current piece, number of the row's first piece, pieces of a row. */
const ROW = mem(rsp, -8);
const FIRST = mem(rsp, -16);
const PIECES = mem(rsp, -24);

export interface Pieces {
  /** Argument with the columns of a row. */
  readonly columns?: string;
  /** Columns of a piece: a power of two. */
  readonly size?: number;
  /** How many rows there are, if not as many as the argument `rows` says. */
  readonly rows?: number;
}

/**
 * Emits `body` for each piece of a row that this thread claims.
 * @param body gets the addresses of the matrices' row, the piece's first column and how many columns it has; all are its own.
 */
export function eachPiece(
  k: KernelBuilder,
  names: readonly string[],
  body: (at: readonly Gpr[], from: Gpr, count: Gpr) => void,
  { columns = 'cols', size = PIECE, rows }: Pieces = {},
): void {
  piecesOfRow(k, columns, size);
  k.x.store64(ROW, 0);
  k.x.store64(FIRST, 0);
  const [next, out] = [k.label(), k.label()];
  k.bind(next);
  const from = k.gpr('from');
  k.claim(from);
  rowOfPiece(k, from, out, rows);
  k.x.shl(from, Math.log2(size));
  const count = pieceColumns(k, from, columns, size);
  const at = rowAddresses(k, names, ROW);
  body(at, from, count);
  k.jmp(next);
  k.free(from, count, ...at);
  k.bind(out);
}

function piecesOfRow(k: KernelBuilder, columns: string, size: number): void {
  const pieces = k.int(columns);
  k.x.add(pieces, size - 1);
  k.x.shr(pieces, Math.log2(size));
  k.x.store64(PIECES, pieces);
  k.free(pieces);
}

/** `piece`, a number over all rows, becomes the number within its row; pieces come in ascending order. */
function rowOfPiece(k: KernelBuilder, piece: Gpr, out: Label, known: number | undefined): void {
  const [row, first, pieces] = [k.gpr('row'), k.gpr('first'), k.gpr('pieces')];
  k.x.mov(row, ROW);
  k.x.mov(first, FIRST);
  k.x.mov(pieces, PIECES);
  k.x.sub(piece, first);
  k.while(piece, 'ge', pieces, () => {
    k.x.sub(piece, pieces);
    k.x.add(first, pieces);
    k.x.add(row, 1);
  });
  k.x.store64(ROW, row);
  k.x.store64(FIRST, first);
  const rows = pieces;
  if (known === undefined) k.x.vcvttsd2si(rows, k.arg('rows'));
  else k.x.mov(rows, known);
  k.x.cmp(row, rows);
  k.free(row, first, pieces);
  k.j('ge', out);
}

/** Columns of the piece from column `from`. */
function pieceColumns(k: KernelBuilder, from: Gpr, columns: string, size: number): Gpr {
  const count = k.int(columns);
  const most = k.gpr('most');
  k.x.sub(count, from);
  k.x.mov(most, size);
  k.x.cmp(count, most);
  k.x.cmov('g', count, most);
  k.free(most);
  return count;
}
