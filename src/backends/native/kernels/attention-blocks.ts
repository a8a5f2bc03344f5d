/** Tiles of positions, blocks of rows, and the two products of a block with a tile. */
import type { KernelBuilder } from '../kernel.ts';
import { type Label, mem, memAt } from '../x64/index.ts';
import { TILE_KEYS } from './attention-layout.ts';
import { PRODUCT_ROWS, type ProductRows, product } from './attention-product.ts';
import type { Record } from './attention-softmax.ts';
import { readRows } from './attention-tile.ts';
import { readTurned } from './attention-turn.ts';
import type { Frame } from './frame.ts';

/**
 * Declares the variables of tiles and blocks. The scores of a block with a tile are at `tileScores`, `scoreStep` bytes
 * further for each row that the block is from the first, `scoreRow` bytes from row to row.
 */
export function declareBlocks(k: KernelBuilder, f: Frame): void {
  f.declare('at', 'n', 'source', 'sourceBytes', 'sourceType', 'blockAt', 'codesAt');
  f.declare(
    'block',
    'left',
    'valid',
    'masked',
    'count',
    'vectors',
    'blockQueries',
    'blockRecords',
    'rowVectors',
  );
  f.declare('tileScores', 'scoreStep', 'scoreRow', 'blockScores', 'ahead', 'keyAhead', 'valueAhead');
  // Flash attention fetches the next tile.
  f.set('keyAhead', 'keyBytes', ['*', TILE_KEYS]);
  f.set('valueAhead', 'valueBytes', ['*', TILE_KEYS]);
  // Where flash attention keeps the scores of a block with a tile.
  f.set('tileScores', 'scores');
  f.store('scoreStep', 0);
  f.store('scoreRow', 4 * TILE_KEYS);
  k.scope(() => {
    const vectors = f.load('row');
    k.x.shr(vectors, Math.log2(k.level.bytes));
    f.store('rowVectors', vectors);
  });
}

/** Emits a loop over tiles, from variable `at` on to the position before `limit`; `n` positions of each are there. */
export function eachTile(k: KernelBuilder, f: Frame, limit: string, body: () => void): void {
  const [tiles, done] = [k.here(), k.label()];
  f.set('n', limit, ['-', 'at']);
  k.scope(() => {
    const n = f.load('n');
    k.x.cmp(n, 0);
    k.j('le', done);
    k.x.cmp(n, TILE_KEYS);
    k.when('g', () => f.store('n', TILE_KEYS));
  });
  body();
  f.set('at', 'at', ['+', TILE_KEYS]);
  k.jmp(tiles);
  k.bind(done);
}

/** Subroutines of a kernel of attention. */
export interface Calls {
  /** Rows of a cache to `tile`. */
  readonly rows: Label;
  /** Keys to `turned`. */
  readonly keys: Label;
  /** Scores of a block's rows with a tile to weights. */
  readonly fold: Label;
}

export const newCalls = (k: KernelBuilder): Calls => ({ rows: k.label(), keys: k.label(), fold: k.label() });

/** Emits the subroutines `rows` and `keys`. */
export function tileCalls(k: KernelBuilder, f: Frame, { rows, keys }: Calls): void {
  k.bind(rows);
  readRows(k, f);
  k.bind(keys);
  readTurned(k, f, rows);
}

/** Emits: the tile of `n` keys from `at` on, turned, to `turned`. What is `ahead` bytes further is fetched already. */
export function readKeys(k: KernelBuilder, f: Frame, { keys }: Calls): void {
  findTile(f, 'key', 'spanKeys');
  k.call(keys);
}

/** Emits: the tile of `n` values from `at` on to `tile`. */
export function readValues(k: KernelBuilder, f: Frame, { rows }: Calls): void {
  findTile(f, 'value', 'spanValues');
  k.call(rows);
}

function findTile(f: Frame, cache: string, base: string): void {
  f.set('sourceType', `${cache}Type`);
  f.set('sourceBytes', `${cache}Bytes`);
  f.set('source', 'at', ['*', `${cache}Bytes`], ['+', base]);
  f.set('ahead', `${cache}Ahead`);
}

/** Emits a loop over the records of all rows of the piece, from variable `name` on. */
export function eachRecord(k: KernelBuilder, f: Frame, name: string, body: (record: Record) => void): void {
  k.scope(() => {
    const [sums, row, bytes, count] = [f.load(name), f.load('row'), f.load('record'), f.load('m')];
    const totals = k.gpr('totals');
    k.x.lea(totals, memAt(sums, row));
    k.countdown(
      count,
      () => {
        body({ sums, totals });
        k.x.add(sums, bytes);
        k.x.add(totals, bytes);
      },
      true,
    );
  });
}

/**
 * Emits a loop over the piece's rows in blocks: those that see something of the tile. The body finds the variables that
 * `see` sets.
 */
export function eachBlock(k: KernelBuilder, f: Frame, body: (rows: ProductRows) => void): void {
  f.store('block', 0);
  const [top, done] = [k.here(), k.label()];
  const next = k.label();
  f.set('left', 'm', ['-', 'block']);
  k.scope(() => {
    k.x.cmp(f.load('left'), 0);
    k.j('le', done);
  });
  for (const [i, rows] of PRODUCT_ROWS.entries()) {
    const [other, nothing] = [k.label(), k.label()];
    // A block may be filled up with rows that are computed for nothing.
    const least = (PRODUCT_ROWS[i + 1] ?? 0) + 1;
    k.x.cmp(f.at('left'), least);
    k.j('l', other);
    see(k, f, rows, nothing);
    body(rows);
    k.bind(nothing);
    f.set('block', 'block', ['+', rows]);
    k.jmp(next);
    k.bind(other);
  }
  k.bind(next);
  k.jmp(top);
  k.bind(done);
}

/**
 * Emits: `count` positions of the tile are seen by some row of the block, in so many `vectors`; `masked` is 0 if all rows
 * see all of the tile; `valid` rows are there; `blockQueries`, `blockRecords`, `blockScores` are theirs. @param nothing where none is.
 */
function see(k: KernelBuilder, f: Frame, rows: ProductRows, nothing: Label): void {
  f.store('valid', rows);
  f.lower('valid', 'left');
  f.store('masked', 0);
  k.scope(() => {
    const [positions, valid, limit, value] = [
      f.load('positions'),
      f.load('valid'),
      f.load('n'),
      k.gpr('value'),
    ];
    const [first, last] = [k.gpr('first'), k.gpr('last')];
    k.scope(() => k.x.lea(positions, memAt(positions, f.load('block'), 4)));
    k.x.load32s(first, mem(positions));
    k.x.load32s(last, memAt(positions, valid, 4, -4));
    for (const position of [first, last]) {
      k.x.sub(position, f.at('at'));
      k.x.add(position, 1);
    }
    k.x.cmp(last, 0);
    k.j('le', nothing);
    k.x.mov(value, first);
    k.x.sub(value, f.at('window'));
    k.x.cmp(value, TILE_KEYS);
    k.j('ge', nothing);
    k.x.cmp(first, TILE_KEYS);
    k.when('l', () => f.store('masked', 1));
    k.x.mov(value, last);
    k.x.sub(value, f.at('window'));
    k.x.cmp(value, 0);
    k.when('g', () => f.store('masked', 1));
    k.x.cmp(last, limit);
    k.x.cmov('g', last, limit);
    f.store('count', last);
    k.x.add(last, k.lanes - 1);
    k.x.shr(last, Math.log2(k.lanes));
    f.store('vectors', last);
  });
  f.set('blockQueries', 'block', ['*', 'row'], ['+', 'queries']);
  f.set('blockRecords', 'block', ['*', 'record'], ['+', 'records']);
  f.set('blockScores', 'block', ['*', 'scoreStep'], ['+', 'tileScores']);
}

/** Emits: scores = queries times keys. */
export function scoreBlock(k: KernelBuilder, f: Frame, rows: ProductRows): void {
  const queries = { a: f.at('blockQueries'), aStride: f.at('row') };
  const scores = { c: f.at('blockScores'), cStride: f.at('scoreRow') };
  const keys = { b: f.at('turned'), bStride: f.at('tileRow') };
  const sizes = { depth: f.at('size'), vectors: f.at('vectors') };
  product(k, rows, { ...queries, ...keys, ...scores, ...sizes }, { add: false });
}

/** Emits: sums of the records += weights times values. @param direct whether these are f16 in the cache, at `source`. */
export function sumBlock(k: KernelBuilder, f: Frame, rows: ProductRows, direct = false): void {
  const weights = { a: f.at('blockScores'), aStride: f.at('scoreRow') };
  const values = direct
    ? { b: f.at('source'), bStride: f.at('valueBytes') }
    : { b: f.at('tile'), bStride: f.at('row') };
  const sums = { c: f.at('blockRecords'), cStride: f.at('record') };
  const sizes = { depth: f.at('count'), vectors: f.at('rowVectors') };
  product(k, rows, { ...weights, ...values, ...sums, ...sizes }, { add: true, type: direct ? 'f16' : 'f32' });
}

/** Emits: where the values of the tile are, for a product without `tile`. */
export function findValues(f: Frame): void {
  findTile(f, 'value', 'spanValues');
  f.shift('source', 'column', 2);
}
