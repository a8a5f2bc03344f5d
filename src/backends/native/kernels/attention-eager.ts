/**
 * Attention as it is written: all scores of a row, their softmax, then the weighted sum of the values. Arguments,
 * pieces of work and products are those of flash attention, and so is what a row's bits depend on.
 */
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import { type Gpr, mem, memAt } from '../x64/index.ts';
import {
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
import { acrossLanes, eachVector } from './attention-lanes.ts';
import { TILE_KEYS } from './attention-layout.ts';
import { gatherRows, scatterRows } from './attention-rows.ts';
import { clearRecord, indices, maskVector, splatInt } from './attention-softmax.ts';
import { ATTENTION_ARGS, eachPiece, prologue } from './attention-work.ts';
import { exp } from './exp.ts';
import type { Frame } from './frame.ts';

/** Emits: the softmax of a row of `used` bytes of scores, of which `low .. high` are seen, and the sum of its weights. */
function softmaxRow(k: KernelBuilder, scores: Gpr, used: Gpr, low: Gpr, high: Gpr, totals: Gpr): void {
  k.scope(() => {
    const { x } = k;
    const [top, value] = [k.vec('top'), k.vec('value')];
    x.vmovups(top, k.f32(-Infinity));
    k.scope(() => {
      const [lows, highs, none, index] = [
        splatInt(k, low, 'low'),
        splatInt(k, high, 'high'),
        k.vec('none'),
        k.vec('index'),
      ];
      x.vmovups(none, k.f32(-Infinity));
      x.vmovups(index, indices(k, 0));
      eachVector(k, used, (offset) => {
        x.vmovups(value, memAt(scores, offset));
        maskVector(k, value, index, lows, highs, none);
        x.vmovups_store(memAt(scores, offset), value);
        x.vmaxps(top, top, value);
        x.vpaddd(index, index, k.i32(k.lanes));
      });
    });
    acrossLanes(k, top, 'vmaxps');
    const total = k.vec('total');
    k.zero(total);
    eachVector(k, used, (offset) => {
      x.vmovups(value, memAt(scores, offset));
      x.vsubps(value, value, top);
      exp(k, value, { atMost0: true });
      x.vmovups_store(memAt(scores, offset), value);
      x.vaddps(total, total, value);
    });
    x.vmovups_store(mem(totals), total);
  });
}

/** Emits: the softmax of all rows of the piece. */
function softmax(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const used = f.compute('end', ['-', 'start'], ['+', TILE_KEYS - 1]);
    k.x.and(used, -TILE_KEYS);
    k.x.shl(used, 2);
    const [scores, positions] = [f.load('scores'), f.load('positions')];
    const [low, high] = [k.gpr('low'), k.gpr('high')];
    eachRecord(k, f, 'records', ({ totals }) => {
      k.x.load32s(high, mem(positions));
      k.x.sub(high, f.at('start'));
      k.x.add(high, 1);
      k.x.mov(low, high);
      k.x.sub(low, f.at('window'));
      softmaxRow(k, scores, used, low, high, totals);
      k.x.add(positions, 4);
      k.x.add(scores, f.at('scoreRow'));
    });
  });
}

/** `width`: room for scores of a row, all positions of the run up to whole tiles. */
export const attentionEager = defineKernel({
  name: 'attention_eager',
  args: [...ATTENTION_ARGS, 'width'],
  emit: (k) => {
    const calls = newCalls(k);
    const f = prologue(k, ['width']);
    declareBlocks(k, f);
    f.set('scoreRow', 'width', ['*', 4]);
    f.set('scoreStep', 'scoreRow');
    const tiles = (body: () => void): void => {
      f.set('at', 'start');
      eachTile(k, f, 'end', () => {
        f.set('tileScores', 'at', ['-', 'start'], ['*', 4], ['+', 'scores']);
        body();
      });
    };
    eachPiece(k, f, () => {
      gatherRows(k, f);
      eachRecord(k, f, 'records', (record) => clearRecord(k, record));
      tiles(() => {
        readKeys(k, f, calls);
        eachBlock(k, f, (rows) => {
          scoreBlock(k, f, rows);
        });
      });
      softmax(k, f);
      tiles(() => {
        readValues(k, f, calls);
        eachBlock(k, f, (rows) => {
          sumBlock(k, f, rows);
        });
      });
      scatterRows(k, f, 'records');
    });
    k.leave();
    tileCalls(k, f, calls);
  },
});
