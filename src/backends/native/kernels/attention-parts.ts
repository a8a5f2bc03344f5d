/**
 * Flash attention for runs of few rows and many positions, as generation is. What counts there is how caches are read:
 * rows of all heads lie side by side, so an item of work takes a part of the positions with all heads, or with some
 * neighbours, and reads whole rows one after the other. First every part by itself (`attention_parts`), then the parts
 * put together (`attention_merge`). The bits are those of flash attention.
 */
import { CACHE_F16 } from '../../wasm/kernels/cache-types.as.ts';
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import { mem, memAt } from '../x64/index.ts';
import {
  type Calls,
  declareBlocks,
  eachBlock,
  eachRecord,
  eachTile,
  findValues,
  newCalls,
  readKeys,
  readValues,
  scoreBlock,
  sumBlock,
  tileCalls,
} from './attention-blocks.ts';
import { eachPart, endPart, foldRows, mergeParts } from './attention-flash.ts';
import { eachVector } from './attention-lanes.ts';
import { BLOCK_ROWS, PART_KEYS, TILE_KEYS } from './attention-layout.ts';
import { gatherRows, scatterRows } from './attention-rows.ts';
import { clearRecord } from './attention-softmax.ts';
import { ATTENTION_ARGS, eachItem, eachPiece, openPositions, prologue } from './attention-work.ts';
import type { Frame } from './frame.ts';

/**
 * Key-value heads are cut into `groups`, positions into `parts` (of the longest span). `state` has room for `parts`
 * times `rows` records, T times H rows in all. `most` is at least what a span has of rows for one key-value head.
 */
const PART_ARGS = ['groups', 'parts', 'rows', 'state'] as const;

/** Emits: `place` is where the records of head `head` are, for the part that `at` is in. */
function findState(k: KernelBuilder, f: Frame, place: string): void {
  k.scope(() => {
    const part = f.load('at');
    k.x.shr(part, Math.log2(PART_KEYS));
    const before = f.compute(part, ['*', 'rows']);
    const head = f.compute('head', ['*', 'spanRows']);
    f.set(place, 'spanToken', ['*', 'heads'], ['+', before], ['+', head], ['+', 'first']);
  });
  f.set(place, place, ['*', 'record'], ['+', 'state']);
}

/** Emits: `head` is one of `firstHead .. lastHead` in turn; queries, records and scores are those of its rows. */
function eachHead(k: KernelBuilder, f: Frame, body: () => void): void {
  f.set('head', 'firstHead');
  f.set('queries', 'allQueries');
  f.set('records', 'allRecords');
  f.set('tileScores', 'scores');
  const top = k.here();
  f.set('column', 'head', ['*', 'size']);
  body();
  f.set('queries', 'room', ['*', 'row'], ['+', 'queries']);
  f.set('records', 'room', ['*', 'record'], ['+', 'records']);
  f.set('tileScores', 'room', ['*', 'scoreRow'], ['+', 'tileScores']);
  f.set('head', 'head', ['+', 1]);
  k.scope(() => {
    k.x.cmp(f.load('head'), f.at('lastHead'));
    k.j('l', top);
  });
}

/** Emits: what item `index` is. An item without positions leads to `nothing`. */
function openItem(f: Frame): void {
  f.divide('index', 'groups', 'part', 'index');
  f.set('firstHead', 'index', ['*', 'kvHeads']);
  f.set('lastHead', 'firstHead', ['+', 'kvHeads']);
  f.divide('firstHead', 'groups', 'firstHead', 'remainder');
  f.divide('lastHead', 'groups', 'lastHead', 'remainder');
  for (const name of ['first', 'firstToken', 'firstMember']) f.store(name, 0);
  f.set('m', 'spanRows');
  f.set('end', 'past', ['+', 'tokens']);
}

/** Emits: `at` is where the part begins for this span; a jump out of `body` where it has nothing of it. */
function openPart(k: KernelBuilder, f: Frame, body: () => void): void {
  const nothing = k.label();
  k.scope(() => {
    const [at, start, end] = [f.load('part'), f.load('start'), k.gpr('end')];
    k.x.shl(at, Math.log2(PART_KEYS));
    k.x.lea(end, mem(at, PART_KEYS));
    k.x.cmp(start, end);
    k.j('ge', nothing);
    k.x.cmp(at, start);
    k.x.cmov('l', at, start);
    f.store('at', at);
    k.x.cmp(at, f.at('end'));
    k.j('ge', nothing);
  });
  endPart(k, f);
  body();
  k.bind(nothing);
}

/** Variables of a cache: bytes of the item's heads in a row, and where they begin in it. */
function declareFetch(f: Frame): void {
  f.declare('keyPiece', 'keyBegin', 'valuePiece', 'valueBegin', 'fetchRows', 'fetchAt');
}

function openFetch(f: Frame): void {
  for (const cache of ['key', 'value']) {
    f.set(`${cache}Begin`, `${cache}Bytes`, ['*', 'firstHead']);
    f.divide(`${cache}Begin`, 'kvHeads', `${cache}Begin`, 'remainder');
    f.set(`${cache}Piece`, 'lastHead', ['-', 'firstHead'], ['*', `${cache}Bytes`]);
    f.divide(`${cache}Piece`, 'kvHeads', `${cache}Piece`, 'remainder');
  }
  // Rows of a tile to fetch while one head is computed.
  f.set('left', 'lastHead', ['-', 'firstHead']);
  f.set('fetchRows', 'left', ['+', TILE_KEYS - 1]);
  f.divide('fetchRows', 'left', 'fetchRows', 'remainder');
}

/** Emits: the head's share of the tile at `fetchAt`, whole rows of it, on its way to the second cache. */
function fetch(k: KernelBuilder, f: Frame, cache: 'key' | 'value', base: string): void {
  k.scope(() => {
    const none = k.label();
    const begin = f.compute('head', ['-', 'firstHead'], ['*', 'fetchRows']);
    const count = f.load('fetchRows');
    const row = k.gpr('row');
    // Not beyond the part.
    k.x.mov(row, begin);
    k.x.add(row, f.at('fetchAt'));
    k.x.lea(begin, memAt(row, count));
    k.x.cmp(begin, f.at('partEnd'));
    k.j('g', none);
    k.x.imul(row, f.at(`${cache}Bytes`));
    k.x.add(row, f.at(base));
    k.x.add(row, f.at(`${cache}Begin`));
    const [offset, bytes] = [k.gpr('offset'), f.load(`${cache}Piece`)];
    k.countdown(count, () => {
      k.clear(offset);
      k.while(offset, 'l', bytes, () => {
        k.x.prefetcht1(memAt(row, offset));
        k.x.add(offset, 64);
      });
      k.x.add(row, f.at(`${cache}Bytes`));
    });
    k.bind(none);
  });
}

/** Emits: the tile's values added to the records of head `head`. */
function sumValues(k: KernelBuilder, f: Frame, calls: Calls): void {
  const [tile, done] = [k.label(), k.label()];
  k.x.cmp(f.at('direct'), 0);
  k.j('e', tile);
  k.x.cmp(f.at('m'), BLOCK_ROWS);
  k.j('g', tile);
  // One block of rows: nothing is gained by converting the values first.
  findValues(f);
  eachBlock(k, f, (rows) => sumBlock(k, f, rows, true));
  k.jmp(done);
  k.bind(tile);
  readValues(k, f, calls);
  eachBlock(k, f, (rows) => sumBlock(k, f, rows));
  k.bind(done);
}

/** Emits: `direct` is 1 where values are f16 in whole vectors. */
function declareDirect(k: KernelBuilder, f: Frame): void {
  f.define('direct', 0);
  k.scope(() => {
    k.x.cmp(f.at('valueType'), CACHE_F16);
    k.when('e', () => {
      k.x.test(f.load('size'), k.lanes - 1);
      k.when('e', () => f.store('direct', 1));
    });
  });
}

/** Emits: the records of the item's heads, of the part from `at` to `partEnd`. */
function attendPart(k: KernelBuilder, f: Frame, calls: Calls): void {
  f.set('fetchAt', 'at');
  eachHead(k, f, () => {
    fetch(k, f, 'key', 'spanKeys');
    gatherRows(k, f);
    eachRecord(k, f, 'records', (record) => clearRecord(k, record));
  });
  eachTile(k, f, 'partEnd', () => {
    f.set('fetchAt', 'at');
    eachHead(k, f, () => {
      fetch(k, f, 'value', 'spanValues');
      readKeys(k, f, calls);
      eachBlock(k, f, (rows) => {
        scoreBlock(k, f, rows);
        k.call(calls.fold);
      });
    });
    f.set('fetchAt', 'at', ['+', TILE_KEYS]);
    eachHead(k, f, () => {
      fetch(k, f, 'key', 'spanKeys');
      sumValues(k, f, calls);
    });
  });
}

/** Emits: the records of head `head` to their place in `state`. */
function copyRecords(k: KernelBuilder, f: Frame): void {
  findState(k, f, 'results');
  k.scope(() => {
    const [from, to, value] = [f.load('records'), f.load('results'), k.vec('value')];
    eachVector(k, f.compute('record', ['*', 'm']), (offset) => {
      k.x.vmovups(value, memAt(from, offset));
      k.x.vmovups_store(memAt(to, offset), value);
    });
  });
}

export const attentionParts = defineKernel({
  name: 'attention_parts',
  args: [...ATTENTION_ARGS, ...PART_ARGS],
  emit: (k) => {
    const calls = newCalls(k);
    const f = prologue(k, PART_ARGS, true);
    declareBlocks(k, f);
    declareFetch(f);
    declareDirect(k, f);
    f.declare('partEnd', 'part', 'partBegin', 'firstHead', 'lastHead', 'allQueries', 'allRecords');
    f.set('allQueries', 'queries');
    f.set('allRecords', 'records');
    f.store('scoreStep', 4 * TILE_KEYS);
    // Fetched are the columns of the next head.
    for (const cache of ['key', 'value']) {
      f.set(`${cache}Ahead`, `${cache}Bytes`);
      f.divide(`${cache}Ahead`, 'kvHeads', `${cache}Ahead`, 'remainder');
    }
    eachItem(k, f, {
      count: () => f.set('items', 'groups', ['*', 'parts']),
      open: () => {
        openItem(f);
        openPositions(k, f);
        openFetch(f);
      },
      body: () => {
        openPart(k, f, () => {
          f.set('partBegin', 'at');
          attendPart(k, f, calls);
          f.set('at', 'partBegin');
          eachHead(k, f, () => copyRecords(k, f));
        });
      },
    });
    k.leave();
    tileCalls(k, f, calls);
    k.bind(calls.fold);
    foldRows(k, f);
  },
});

export const attentionMerge = defineKernel({
  name: 'attention_merge',
  args: [...ATTENTION_ARGS, ...PART_ARGS],
  emit: (k) => {
    const f = prologue(k, PART_ARGS);
    f.declare('at', 'partEnd');
    eachPiece(k, f, () => {
      eachRecord(k, f, 'results', (record) => clearRecord(k, record));
      eachPart(k, f, () => {
        findState(k, f, 'records');
        mergeParts(k, f);
      });
      scatterRows(k, f, 'results');
    });
  },
});
