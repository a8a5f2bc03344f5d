/**
 * Products of many tokens with quantized weights, from what `quantize_bytes` leaves. Threads claim panels of weight rows;
 * a panel meets all tokens, chunk of columns after chunk, so each weight is taken apart once. Every output is a sum in
 * one fixed order, whatever the number of tokens or threads.
 */
import { defineKernel, type KernelSource } from '../../kernel.ts';
import type { Unpack } from '../../unpack/unpack.ts';
import { type Gpr, mem } from '../../x64/index.ts';
import { emitPanel } from './panel.ts';
import { BATCH_ARGS, Batch, type BatchArg, CHUNK, panelRows, ROUND, tileTokens, VECTORS } from './shape.ts';
import { emitTile } from './tile.ts';

/** The kernel `batch_<format>`. Strides are in bytes; `cols` is a multiple of the block. */
export function batchKernel(unpack: Unpack): KernelSource<BatchArg> {
  return defineKernel({
    name: `batch_${unpack.format}`,
    args: BATCH_ARGS,
    emit: (k) => {
      const b = new Batch(k, unpack);
      storeArguments(b);
      emitPanels(b);
      k.registers.reserve(k.thread, 'thread');
      k.registers.reserve(k.threads, 'threads');
    },
  });
}

/** All arguments as integers in the frame; their registers become free. */
function storeArguments(b: Batch): void {
  const { k } = b;
  b.store('threads', k.threads);
  k.free(k.thread, k.threads);
  for (const name of BATCH_ARGS) {
    k.scope(() => b.store(name, k.int(name)));
  }
  b.store('counter', k.counter);
  k.free(k.counter, k.record);
  k.scope(() => {
    const bytes = k.gpr('bytes');
    b.load(bytes, 'cols');
    k.x.shr(bytes, Math.log2(b.unpack.block));
    k.x.imul(bytes, bytes, b.unpack.blockBytes);
    b.store('rowBytes', bytes);
  });
}

function emitPanels(b: Batch): void {
  const { k } = b;
  const done = k.label();
  const next = k.here();
  k.scope(() => {
    k.registers.reserve(k.counter, 'counter');
    const [first, left] = [k.gpr('first'), k.gpr('left')];
    b.load(k.counter, 'counter');
    k.claim(first);
    k.x.imul(first, first, panelRows(k.level));
    b.load(left, 'rows');
    k.x.sub(left, first);
    k.j('le', done);
    b.store('rowsLeft', left);
    k.x.imul(left, first, 4);
    k.x.add(left, b.slot('y'));
    b.store('panelY', left);
    k.x.imul(first, b.slot('rowBytes'));
    k.x.add(first, b.slot('weights'));
    b.store('panelAt', first);
    k.clear(first);
    b.store('token', first);
  });
  emitRounds(b);
  k.jmp(next);
  k.bind(done);
}

/** Repeats the body while `slot < limit`. */
function whileLess(b: Batch, slot: Parameters<Batch['load']>[1], limit: typeof slot, body: () => void): void {
  const { k } = b;
  const out = k.label();
  const top = k.here();
  k.scope(() => {
    const value = k.gpr('value');
    b.load(value, slot);
    k.x.cmp(value, b.slot(limit));
  });
  k.j('ge', out);
  body();
  k.jmp(top);
  k.bind(out);
}

/** All tokens, up to `ROUND` at a time. */
function emitRounds(b: Batch): void {
  const { k } = b;
  whileLess(b, 'token', 'tokens', () => {
    k.scope(() => {
      const [round, most] = [k.gpr('round'), k.gpr('most')];
      b.load(round, 'tokens');
      k.x.sub(round, b.slot('token'));
      k.x.mov(most, ROUND);
      k.x.cmp(round, most);
      k.x.cmov('g', round, most);
      b.store('round', round);
      clearTotals(b, round);
      k.x.mov(most, 0);
      b.store('column', most);
      b.load(most, 'panelAt');
      b.store('blockAt', most);
    });
    whileLess(b, 'column', 'cols', () => emitChunk(b));
    storeTotals(b);
    b.advance('token', 'round', 1);
  });
}

function clearTotals(b: Batch, round: Gpr): void {
  const { k } = b;
  k.scope(() => {
    const [at, count, zero] = [k.gpr('at'), k.gpr('count'), k.vec('zero')];
    k.x.lea(at, b.at('totals'));
    k.x.mov(count, round);
    k.zero(zero);
    k.countdown(count, () => {
      for (let v = 0; v < VECTORS; v++) k.x.vmovups_store(mem(at, v * b.vector), zero);
      k.x.add(at, b.line);
    });
  });
}

function emitChunk(b: Batch): void {
  const { k, unpack } = b;
  k.scope(() => {
    const [blocks, most] = [k.gpr('blocks'), k.gpr('most')];
    b.load(blocks, 'cols');
    k.x.sub(blocks, b.slot('column'));
    k.x.shr(blocks, 5);
    k.x.mov(most, CHUNK / 32);
    k.x.cmp(blocks, most);
    k.x.cmov('g', blocks, most);
    b.store('blocks', blocks);
    k.clear(most);
    b.store('plane', most);
  });
  lookAhead(b);
  emitPanel(b);
  whileLess(b, 'plane', 'planes', () => {
    pointAtPlane(b);
    emitTiles(b);
    bump(b, 'plane', 1);
  });
  bump(b, 'blockAt', (CHUNK / unpack.block) * unpack.blockBytes);
  bump(b, 'column', CHUNK);
}

/** Bytes from a block to what its row needs next: the next chunk, or the panel that this thread is likely to claim. */
function lookAhead(b: Batch): void {
  const { k, unpack } = b;
  k.scope(() => {
    const [ahead, blocks] = [k.gpr('ahead'), k.gpr('blocks')];
    k.x.mov(ahead, (CHUNK / unpack.block) * unpack.blockBytes);
    b.load(blocks, 'cols');
    k.x.sub(blocks, b.slot('column'));
    k.x.cmp(blocks, CHUNK);
    k.when('le', () => {
      b.load(ahead, 'rowBytes');
      k.x.imul(ahead, ahead, panelRows(k.level));
      k.x.imul(ahead, b.slot('threads'));
      k.x.add(ahead, b.slot('panelAt'));
      k.x.sub(ahead, b.slot('blockAt'));
    });
    b.store('ahead', ahead);
  });
}

function bump(b: Batch, slot: Parameters<Batch['load']>[1], by: number): void {
  b.k.scope(() => {
    const value = b.k.gpr('value');
    b.load(value, slot);
    b.k.x.add(value, by);
    b.store(slot, value);
  });
}

/** Addresses of the round's first token in this plane and chunk. */
function pointAtPlane(b: Batch): void {
  const { k } = b;
  const perChunk = { code: CHUNK, sum: CHUNK / 8, scale: (4 * CHUNK) / b.unpack.block };
  k.scope(() => {
    const [row, at, part] = [k.gpr('row'), k.gpr('at'), k.gpr('part')];
    b.load(row, 'plane');
    k.x.imul(row, b.slot('tokens'));
    k.x.add(row, b.slot('token'));
    for (const name of ['code', 'sum', 'scale'] as const) {
      b.load(at, `${name}Stride`);
      k.x.imul(at, row);
      k.x.add(at, b.slot(`${name}s`));
      b.load(part, 'column');
      k.x.shr(part, Math.log2(CHUNK / perChunk[name]));
      k.x.add(at, part);
      b.store(`${name}At`, at);
    }
    k.x.lea(at, b.at('totals'));
    b.store('totalAt', at);
    b.load(at, 'round');
    b.store('left', at);
  });
}

/** Tiles of the full size, then one of what is left. */
function emitTiles(b: Batch): void {
  const { k } = b;
  const most = tileTokens(k.level);
  const small = k.label();
  const end = k.label();
  const full = k.here();
  compareLeft(b, most);
  k.j('l', small);
  emitTile(b, most);
  for (const name of ['code', 'sum', 'scale'] as const) b.advance(`${name}At`, `${name}Stride`, most);
  bump(b, 'totalAt', most * b.line);
  bump(b, 'left', -most);
  k.jmp(full);
  k.bind(small);
  for (let tokens = most - 1; tokens > 0; tokens--) {
    const other = k.label();
    compareLeft(b, tokens);
    k.j('ne', other);
    emitTile(b, tokens);
    k.jmp(end);
    k.bind(other);
  }
  k.bind(end);
}

function compareLeft(b: Batch, tokens: number): void {
  b.k.scope(() => {
    const left = b.k.gpr('left');
    b.load(left, 'left');
    b.k.x.cmp(left, tokens);
  });
}

/** The round's totals to y; of the last panel the rows that there are. */
function storeTotals(b: Batch): void {
  const { k } = b;
  k.scope(() => {
    const [to, from, count, left] = ['to', 'from', 'count', 'rows'].map((name) => k.gpr(name));
    b.load(to, 'token');
    k.x.imul(to, b.slot('yStride'));
    k.x.add(to, b.slot('panelY'));
    k.x.lea(from, b.at('totals'));
    b.load(count, 'round');
    b.load(left, 'rowsLeft');
    const next = (): void => {
      k.x.add(from, b.line);
      k.x.add(to, b.slot('yStride'));
    };
    k.x.cmp(left, panelRows(k.level));
    k.when(
      'ge',
      () =>
        k.countdown(
          count,
          () => {
            storeVectors(b, to, from);
            next();
          },
          true,
        ),
      () =>
        k.countdown(
          count,
          () => {
            storeFloats(b, to, from, left);
            next();
          },
          true,
        ),
    );
  });
}

function storeVectors(b: Batch, to: Gpr, from: Gpr): void {
  const { k } = b;
  k.scope(() => {
    const value = k.vec('value');
    for (let v = 0; v < VECTORS; v++) {
      k.x.vmovups(value, mem(from, v * b.vector));
      k.x.vmovups_store(mem(to, v * b.vector), value);
    }
  });
}

function storeFloats(b: Batch, to: Gpr, from: Gpr, count: Gpr): void {
  const { k } = b;
  k.scope(() => {
    const [i, value] = [k.gpr('i'), k.gpr('value')];
    k.x.mov(i, count);
    k.countdown(
      i,
      () => {
        k.x.load32(value, { ...mem(from, -4), index: i, scale: 4 });
        k.x.store32({ ...mem(to, -4), index: i, scale: 4 }, value);
      },
      true,
    );
  });
}
