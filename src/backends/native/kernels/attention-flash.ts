/**
 * Causal attention over cached keys and values, in f32, span by span: each span has a region of the caches of its own.
 * Letters: T query positions, H heads, K key-value heads, D head size.
 *
 * The H/K heads that share a key-value head are rows of one problem, position by position: row r is head r % (H/K) of
 * its group at query position r / (H/K). A piece of work is some rows of one key-value head; threads claim pieces, the
 * longest first. Keys and values become f32 in tiles of `TILE_KEYS` positions, which all rows of the piece then share:
 * scores of six rows with a tile, their softmax, their sums of values, while all of it is in the nearest cache.
 *
 * A row's bits depend on its query, its position and the keys and values that it sees, on nothing else: tiles and parts
 * of positions begin at multiples of fixed numbers, products are chains in one order whatever is computed beside them,
 * and what a row does not see leaves its numbers as they are.
 */
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import { type Label, mem, memAt } from '../x64/index.ts';
import { PIECE_KEYS, TILE_KEYS } from './attention-layout.ts';
import { PRODUCT_ROWS, type ProductRows, product } from './attention-product.ts';
import { gatherRows, scatterRows } from './attention-rows.ts';
import { clearRecord, foldTile, maskTile, mergeRecord, type Record } from './attention-softmax.ts';
import { readRows, turnTile } from './attention-tile.ts';
import { ATTENTION_ARGS, eachPiece, prologue } from './attention-work.ts';
import type { Frame } from './frame.ts';

/** Subroutines. */
interface Calls {
  /** A tile of a cache's rows to f32. */
  readonly read: Label;
  /** Scores of a block's rows with a tile to weights. */
  readonly fold: Label;
}

/** Emits a loop over the records of all rows of the piece, from variable `name` on. */
function eachRecord(k: KernelBuilder, f: Frame, name: string, body: (record: Record) => void): void {
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

/** Emits: the tile of `n` positions from `at` on, of keys or values, to `tile`. */
function readTile(k: KernelBuilder, f: Frame, { read }: Calls, cache: 'key' | 'value'): void {
  f.set('sourceType', `${cache}Type`);
  f.set('sourceBytes', `${cache}Bytes`);
  f.set('source', 'at', ['*', `${cache}Bytes`], ['+', cache === 'key' ? 'spanKeys' : 'spanValues']);
  k.call(read);
}

/** Merges the records of a part of the positions into those of the parts before it. */
function mergeParts(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [into, from, row] = ['results', 'records', 'row'].map((name) => f.load(name));
    const [intoTotals, fromTotals, count] = [k.gpr('intoTotals'), k.gpr('fromTotals'), f.load('m')];
    k.countdown(
      count,
      () => {
        k.x.lea(intoTotals, memAt(into, row));
        k.x.lea(fromTotals, memAt(from, row));
        mergeRecord(k, { sums: into, totals: intoTotals }, { sums: from, totals: fromTotals });
        k.x.add(into, f.at('record'));
        k.x.add(from, f.at('record'));
      },
      true,
    );
  });
}

/** Emits: the records of the part of the positions that ends before `partEnd`, from `at` on. */
function part(k: KernelBuilder, f: Frame, calls: Calls): void {
  eachRecord(k, f, 'records', (record) => clearRecord(k, record));
  const [tiles, done] = [k.here(), k.label()];
  f.set('n', 'partEnd', ['-', 'at']);
  k.scope(() => {
    k.x.cmp(f.load('n'), 0);
    k.j('le', done);
    k.x.cmp(f.at('n'), TILE_KEYS);
    k.when('g', () => f.store('n', TILE_KEYS));
  });
  readTile(k, f, calls, 'key');
  turnTile(k, f);
  readTile(k, f, calls, 'value');
  blocks(k, f, calls);
  f.set('at', 'at', ['+', TILE_KEYS]);
  k.jmp(tiles);
  k.bind(done);
}

/** Emits the loop over the piece's rows, in blocks. */
function blocks(k: KernelBuilder, f: Frame, calls: Calls): void {
  f.store('block', 0);
  const [top, done] = [k.here(), k.label()];
  const next = k.label();
  f.set('left', 'm', ['-', 'block']);
  k.scope(() => {
    k.x.cmp(f.load('left'), 0);
    k.j('le', done);
  });
  for (const [i, rows] of PRODUCT_ROWS.entries()) {
    const other = k.label();
    // A block may be filled up with rows that are computed for nothing.
    const least = (PRODUCT_ROWS[i + 1] ?? 0) + 1;
    k.x.cmp(f.at('left'), least);
    k.j('l', other);
    block(k, f, rows, calls);
    f.set('block', 'block', ['+', rows]);
    k.jmp(next);
    k.bind(other);
  }
  k.bind(next);
  k.jmp(top);
  k.bind(done);
}

/** Emits: positions that the block's rows see of the tile, in `count`, and whether some rows see less, in `masked`. */
function visible(k: KernelBuilder, f: Frame, rows: ProductRows, none: Label): void {
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
    k.j('le', none);
    k.x.mov(value, first);
    k.x.sub(value, f.at('window'));
    k.x.cmp(value, TILE_KEYS);
    k.j('ge', none);
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
}

/** Emits: a block of rows with a tile. */
function block(k: KernelBuilder, f: Frame, rows: ProductRows, { fold }: Calls): void {
  const done = k.label();
  visible(k, f, rows, done);
  const scores = {
    a: f.at('blockQueries'),
    aStride: f.at('row'),
    b: f.at('turned'),
    bStride: f.at('tileRow'),
  };
  product(
    k,
    rows,
    { ...scores, c: f.at('scores'), cStride: f.at('tileRow'), depth: f.at('size'), vectors: f.at('vectors') },
    false,
  );
  k.call(fold);
  const weights = { a: f.at('scores'), aStride: f.at('tileRow'), b: f.at('tile'), bStride: f.at('row') };
  product(
    k,
    rows,
    {
      ...weights,
      c: f.at('blockRecords'),
      cStride: f.at('record'),
      depth: f.at('count'),
      vectors: f.at('rowVectors'),
    },
    true,
  );
  k.bind(done);
}

/** Emits the subroutine `fold`. */
function foldRows(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [scores, sums, positions, count] = ['scores', 'blockRecords', 'positions', 'valid'].map((name) =>
      f.load(name),
    );
    const [totals, low, high] = [k.gpr('totals'), k.gpr('low'), k.gpr('high')];
    k.scope(() => k.x.lea(positions, memAt(positions, f.load('block'), 4)));
    k.x.mov(totals, sums);
    k.x.add(totals, f.at('row'));
    k.countdown(
      count,
      () => {
        k.x.cmp(f.at('masked'), 0);
        k.when('ne', () => {
          k.x.load32s(high, mem(positions));
          k.x.sub(high, f.at('at'));
          k.x.add(high, 1);
          k.x.mov(low, high);
          k.x.sub(low, f.at('window'));
          maskTile(k, scores, low, high);
        });
        foldTile(k, scores, { sums, totals });
        k.x.add(scores, 4 * TILE_KEYS);
        k.x.add(sums, f.at('record'));
        k.x.add(totals, f.at('record'));
        k.x.add(positions, 4);
      },
      true,
    );
  });
}

/** Emits: `at` begins at `start`, and `partEnd` is where its part of the positions ends. */
function nextPart(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const end = f.load('at');
    k.x.and(end, -PIECE_KEYS);
    k.x.add(end, PIECE_KEYS);
    f.store('partEnd', end);
  });
  f.lower('partEnd', 'end');
}

function declare(k: KernelBuilder, f: Frame): void {
  f.declare('at', 'partEnd', 'n', 'source', 'sourceBytes', 'sourceType', 'blockAt', 'codesAt');
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
  k.scope(() => {
    const vectors = f.load('row');
    k.x.shr(vectors, Math.log2(k.level.bytes));
    f.store('rowVectors', vectors);
  });
}

/** Attention with a running maximum; all parts of a row's positions in one piece of work. */
export const attentionFlash = defineKernel({
  name: 'attention_flash',
  args: ATTENTION_ARGS,
  emit: (k) => {
    const calls = { read: k.label(), fold: k.label() };
    const f = prologue(k);
    declare(k, f);
    eachPiece(k, f, () => {
      gatherRows(k, f);
      eachRecord(k, f, 'results', (record) => clearRecord(k, record));
      f.set('at', 'start');
      const [parts, done] = [k.here(), k.label()];
      nextPart(k, f);
      k.scope(() => {
        k.x.cmp(f.load('at'), f.at('end'));
        k.j('ge', done);
      });
      part(k, f, calls);
      mergeParts(k, f);
      k.jmp(parts);
      k.bind(done);
      scatterRows(k, f, 'results');
    });
    k.leave();
    k.bind(calls.read);
    readRows(k, f);
    k.bind(calls.fold);
    foldRows(k, f);
    k.x.ret();
  },
});
