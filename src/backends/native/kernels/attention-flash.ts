/**
 * Causal attention over cached keys and values, in f32, span by span: each span has a region of the caches of its own.
 * Letters: T query positions, H heads, K key-value heads, D head size.
 *
 * The H/K heads that share a key-value head are rows of one problem, position by position: row r is head r % (H/K) of
 * its group at query position r / (H/K). A piece of work is some rows of one key-value head; threads claim pieces, the
 * longest first. Keys and values become f32 in tiles of `TILE_KEYS` positions, which all rows of the piece then share:
 * scores of six rows with a tile, their softmax, their sums of values, while all of it is in the nearest caches.
 *
 * A row's bits depend on its query, its position and the keys and values that it sees, on nothing else: tiles and parts
 * of positions begin at multiples of fixed numbers, products are chains in one order whatever is computed beside them,
 * and what a row does not see leaves its numbers as they are.
 */
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import { mem, memAt } from '../x64/index.ts';
import {
  type Calls,
  declareBlocks,
  eachBlock,
  eachRecord,
  eachTile,
  newCalls,
  readKeys,
  readValues,
  scoreBlock,
  sumBlock,
  tileCalls,
} from './attention-blocks.ts';
import { PART_KEYS, TILE_KEYS } from './attention-layout.ts';
import { gatherRows, scatterRows } from './attention-rows.ts';
import { clearRecord, foldTile, maskTile, mergeRecord } from './attention-softmax.ts';
import { ATTENTION_ARGS, eachPiece, prologue } from './attention-work.ts';
import type { Frame } from './frame.ts';

/** Emits: the records of the part of the positions that ends before `partEnd`, from `at` on. */
function attendPart(k: KernelBuilder, f: Frame, calls: Calls): void {
  eachRecord(k, f, 'records', (record) => clearRecord(k, record));
  eachTile(k, f, 'partEnd', () => {
    readKeys(k, f, calls);
    readValues(k, f, calls);
    eachBlock(k, f, (rows) => {
      scoreBlock(k, f, rows);
      k.call(calls.fold);
      sumBlock(k, f, rows);
    });
  });
}

/** Emits: the records of a part, at `records`, added to those of the parts before it. */
export function mergeParts(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const distance = f.compute('records', ['-', 'results']);
    eachRecord(k, f, 'results', (into) => {
      k.scope(() => {
        const from = { sums: k.gpr('sums'), totals: k.gpr('totals') };
        k.x.lea(from.sums, memAt(into.sums, distance));
        k.x.lea(from.totals, memAt(into.totals, distance));
        mergeRecord(k, into, from);
      });
    });
  });
}

/** Emits the subroutine `fold`. */
export function foldRows(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [scores, sums, positions, count] = ['blockScores', 'blockRecords', 'positions', 'valid'].map(
      (name) => f.load(name),
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
  k.x.ret();
}

/** Emits: `partEnd` is where the part of the positions ends that `at` is in. */
export function endPart(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const end = f.load('at');
    k.x.and(end, -PART_KEYS);
    k.x.add(end, PART_KEYS);
    f.store('partEnd', end);
  });
  f.lower('partEnd', 'end');
}

/** Emits a loop over the parts of the positions of a piece; `at` and `partEnd` are there. */
export function eachPart(k: KernelBuilder, f: Frame, body: () => void): void {
  f.set('at', 'start');
  const [parts, done] = [k.here(), k.label()];
  endPart(k, f);
  k.scope(() => {
    k.x.cmp(f.load('at'), f.at('end'));
    k.j('ge', done);
  });
  body();
  f.set('at', 'partEnd');
  k.jmp(parts);
  k.bind(done);
}

/** Attention with a running maximum; all positions of a row in one piece of work. */
export const attentionFlash = defineKernel({
  name: 'attention_flash',
  args: ATTENTION_ARGS,
  emit: (k) => {
    const calls = newCalls(k);
    const f = prologue(k);
    declareBlocks(k, f);
    f.declare('partEnd');
    eachPiece(k, f, () => {
      gatherRows(k, f);
      eachRecord(k, f, 'results', (record) => clearRecord(k, record));
      eachPart(k, f, () => {
        attendPart(k, f, calls);
        mergeParts(k, f);
      });
      scatterRows(k, f, 'results');
    });
    k.leave();
    tileCalls(k, f, calls);
    k.bind(calls.fold);
    foldRows(k, f);
  },
});
