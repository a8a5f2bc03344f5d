/**
 * Products of many tokens with weights of any format through tiles: `y[token][row] = sum over columns of x * w`. Threads
 * claim pieces of 32 weight rows and 256 tokens. A piece's weights are expanded to bf16 terms once, chunk of columns after
 * chunk, and meet all its tokens; sums stay in tiles over a chunk, in columns' order, whatever the number of tokens or
 * threads. Measured limits of the hardware: see ARCHITECTURE.md.
 */
import { defineKernel, type KernelBuilder, type KernelSource } from '../../kernel.ts';
import { type Gpr, type Label, type Memory, masked, mem, memAt, TILES } from '../../x64/index.ts';
import {
  chunkSteps,
  PAIR,
  PANEL_ROWS,
  PANEL_TOKENS,
  STEP,
  type Terms,
  TILE_BYTES,
  TILE_ROWS,
  TILE_TOKENS,
  termPairs,
} from './shape.ts';
import { tileUnit } from './tile-unit.ts';
import type { TileUnit } from './tiles.ts';
import { transpose16 } from './transpose.ts';
import { blockOf, EXPAND_SCRATCH, nameOf, rowExpander, termsOf, type WeightKind } from './weights.ts';

/** `tiles` is what `tile_activations` left, with the same number of terms. `yStride` in bytes. */
export const BATCH_AMX_ARGS = ['weights', 'rows', 'cols', 'tiles', 'tokens', 'y', 'yStride'] as const;
export type BatchAmxArg = (typeof BATCH_AMX_ARGS)[number];

const STATE = [
  'counter',
  'rowBytes',
  'groupBytes',
  'steps',
  'panels',
  'rowsLeft',
  'tokensLeft',
  'pairs',
  'panelAt',
  'groupAt',
  'yAt',
  'step',
  'chunk',
] as const;
type Slot = BatchAmxArg | (typeof STATE)[number];
const SLOTS: readonly Slot[] = [...STATE, ...BATCH_AMX_ARGS];

/** Bytes of the sums of a pair of token tiles: four tiles. */
const SUMS = PAIR * PAIR * TILE_BYTES;
const SUM_TILES = TILES.slice(0, 4);
const [WEIGHTS_LOW, WEIGHTS_HIGH, TOKENS_LOW, TOKENS_HIGH] = TILES.slice(4);
/** Bytes of the rows' part of a step, one term. */
const PANEL_STEP = PAIR * TILE_BYTES;

const lines = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Offsets into the scratch, and its bytes. */
export function batchAmxScratch(terms: Terms) {
  const scales = lines(8 * SLOTS.length);
  const sums = scales + EXPAND_SCRATCH;
  const panel = sums + (PANEL_TOKENS / (PAIR * TILE_TOKENS)) * SUMS;
  const bytes = panel + chunkSteps(terms) * terms.weights * PANEL_STEP;
  return { scales, sums, panel, bytes };
}

const productName = (kind: WeightKind, { activations, weights }: Terms): string =>
  `batch_amx_${nameOf(kind).toLowerCase()}_${activations}x${weights}`;

/** The kernel for weights of a kind, and the terms that it wants. @param planes of activations for blocks. */
export function tileKernelName(
  kind: WeightKind,
  planes: 1 | 2,
): { readonly name: string; readonly terms: Terms } {
  const terms = termsOf(kind, planes);
  return { name: productName(kind, terms), terms };
}

/** A kernel that `productName` names. `cols` is a multiple of the format's block. */
export function batchAmxKernel(kind: WeightKind, terms: Terms): KernelSource<BatchAmxArg> {
  return defineKernel({
    name: productName(kind, terms),
    args: BATCH_AMX_ARGS,
    emit: (k) => new BatchAmx(k, kind, terms).emit(),
  });
}

class BatchAmx {
  readonly #k: KernelBuilder<BatchAmxArg>;
  readonly #kind: WeightKind;
  readonly #terms: Terms;
  readonly #scratch: ReturnType<typeof batchAmxScratch>;
  readonly #unit: TileUnit;

  constructor(k: KernelBuilder<BatchAmxArg>, kind: WeightKind, terms: Terms) {
    this.#k = k;
    this.#kind = kind;
    this.#terms = terms;
    this.#scratch = batchAmxScratch(terms);
    this.#unit = tileUnit(k);
  }

  emit(): void {
    this.#arguments();
    this.#unit.begin(TILES.map(() => ({ rows: 16, bytes: 64 })));
    const done = this.#k.label();
    const next = this.#k.here();
    this.#claim(done);
    this.#chunks();
    this.#k.scope(() => this.#results());
    this.#k.jmp(next);
    this.#k.bind(done);
    this.#unit.end();
  }

  #at(slot: Slot): Memory {
    return mem(this.#k.scratch, 8 * SLOTS.indexOf(slot));
  }

  #get(slot: Slot): Gpr {
    const register = this.#k.gpr(slot);
    this.#k.x.mov(register, this.#at(slot));
    return register;
  }

  #set(slot: Slot, value: Gpr): void {
    this.#k.x.store64(this.#at(slot), value);
  }

  /** Arguments and what follows from them to the scratch; their registers become free. */
  #arguments(): void {
    const { x } = this.#k;
    const { bytes, weights } = blockOf(this.#kind);
    this.#k.free(this.#k.thread, this.#k.threads);
    for (const name of BATCH_AMX_ARGS) this.#k.scope(() => this.#set(name, this.#k.int(name)));
    this.#set('counter', this.#k.counter);
    this.#k.free(this.#k.counter, this.#k.record);
    this.#k.scope(() => {
      const value = this.#get('cols');
      x.shr(value, Math.log2(weights));
      x.imul(value, value, bytes);
      this.#set('rowBytes', value);
      x.mov(value, this.#at('cols'));
      x.add(value, STEP - 1);
      x.shr(value, Math.log2(STEP));
      this.#set('steps', value);
      x.imul(value, value, this.#terms.activations * TILE_BYTES);
      this.#set('groupBytes', value);
      x.mov(value, this.#at('rows'));
      x.add(value, PANEL_ROWS - 1);
      x.shr(value, Math.log2(PANEL_ROWS));
      this.#set('panels', value);
    });
  }

  /** The next piece: all panels of rows with the first 256 tokens, then with the next; or goes to `done`. */
  #claim(done: Label): void {
    const { x } = this.#k;
    this.#k.scope(() => {
      const panel = this.#k.gpr('panel');
      const tokens = this.#k.gpr('tokens');
      const panels = this.#get('panels');
      const value = this.#get('counter');
      x.mov(panel, 1);
      x.lockXadd32(mem(value), panel);
      x.load32s(panel, panel);
      const [n, by] = [this.#k.registers.xmm('n'), this.#k.registers.xmm('by')];
      this.#k.zero(n, by);
      x.vcvtsi2sd(n, n, panel);
      x.vcvtsi2sd(by, by, panels);
      x.vdivsd(n, n, by); // exact enough: a quotient that is no integer is far from the next one
      x.vcvttsd2si(tokens, n);
      x.imul(panels, tokens);
      x.sub(panel, panels);
      x.shl(tokens, Math.log2(PANEL_TOKENS));
      x.mov(value, this.#at('tokens'));
      x.sub(value, tokens);
      this.#k.j('le', done);
      this.#set('tokensLeft', value);
      this.#minimum(value, PANEL_TOKENS);
      x.add(value, PAIR * TILE_TOKENS - 1);
      x.shr(value, Math.log2(PAIR * TILE_TOKENS));
      this.#set('pairs', value);
      this.#addresses(panel, tokens);
    });
  }

  /** Places of the piece's weights, activations and results. */
  #addresses(panel: Gpr, tokens: Gpr): void {
    const { x } = this.#k;
    this.#k.scope(() => {
      const value = this.#k.gpr('value');
      x.shl(panel, Math.log2(PANEL_ROWS));
      x.mov(value, this.#at('rows'));
      x.sub(value, panel);
      this.#set('rowsLeft', value);
      x.mov(value, panel);
      x.imul(value, this.#at('rowBytes'));
      x.add(value, this.#at('weights'));
      this.#set('panelAt', value);
      x.mov(value, tokens);
      x.imul(value, this.#at('yStride'));
      x.lea(value, memAt(value, panel, 4));
      x.add(value, this.#at('y'));
      this.#set('yAt', value);
      x.shr(tokens, Math.log2(TILE_TOKENS));
      x.imul(tokens, this.#at('groupBytes'));
      x.add(tokens, this.#at('tiles'));
      this.#set('groupAt', tokens);
      x.xor(value, value);
      this.#set('step', value);
    });
  }

  #minimum(value: Gpr, most: number): void {
    this.#k.scope(() => {
      const limit = this.#k.gpr('limit');
      this.#k.x.mov(limit, most);
      this.#k.x.cmp(value, limit);
      this.#k.x.cmov('g', value, limit);
    });
  }

  #chunks(): void {
    const { x } = this.#k;
    const top = this.#k.here();
    this.#k.scope(() => {
      const chunk = this.#get('steps');
      x.sub(chunk, this.#at('step'));
      this.#minimum(chunk, chunkSteps(this.#terms));
      this.#set('chunk', chunk);
    });
    this.#k.scope(() => this.#expand());
    this.#k.scope(() => this.#multiply());
    this.#k.scope(() => {
      const step = this.#get('step');
      x.add(step, this.#at('chunk'));
      this.#set('step', step);
      x.cmp(step, this.#at('steps'));
    });
    this.#k.j('l', top);
  }

  /** The chunk's weights to the panel: bf16 [steps][terms][32 rows][32 columns]. Rows past the last are copies of it. */
  #expand(): void {
    const { x } = this.#k;
    const { bytes, weights } = blockOf(this.#kind);
    const expander = rowExpander(this.#k, this.#kind, this.#terms.weights);
    const [row, panel, rows] = [this.#get('step'), this.#k.gpr('panel'), this.#k.gpr('rows')];
    if (weights > STEP) x.shr(row, Math.log2(weights / STEP)); // chunks are whole blocks
    x.imul(row, row, bytes * Math.max(1, STEP / weights));
    x.add(row, this.#at('panelAt'));
    x.lea(panel, mem(this.#k.scratch, this.#scratch.panel));
    x.mov(rows, PANEL_ROWS);
    const valid = this.#get('rowsLeft');
    this.#k.countdown(
      rows,
      () => {
        this.#k.scope(() => {
          const [from, to] = [this.#k.gpr('from'), this.#k.gpr('to')];
          const [steps, left] = [this.#get('chunk'), this.#get('step')];
          x.imul(left, left, -STEP);
          x.add(left, this.#at('cols'));
          x.mov(from, row);
          x.mov(to, panel);
          expander.row({ from, to, steps, left }, mem(this.#k.scratch, this.#scratch.scales));
        });
        x.add(panel, 2 * STEP);
        this.#k.scope(() => {
          const next = this.#k.gpr('next');
          x.mov(next, row);
          x.add(next, this.#at('rowBytes'));
          x.sub(valid, 1);
          x.cmov('g', row, next);
        });
      },
      true,
    );
    expander.end();
  }

  /** All pairs of token tiles with the chunk. */
  #multiply(): void {
    const { x } = this.#k;
    const [low, high, sums, pairs] = [
      this.#get('step'),
      this.#k.gpr('high'),
      this.#k.gpr('sums'),
      this.#get('pairs'),
    ];
    const line = this.#k.gpr('line');
    x.imul(low, low, this.#terms.activations * TILE_BYTES);
    x.add(low, this.#at('groupAt'));
    x.lea(sums, mem(this.#k.scratch, this.#scratch.sums));
    x.mov(line, 64);
    this.#k.countdown(
      pairs,
      () => {
        x.mov(high, low);
        x.add(high, this.#at('groupBytes'));
        this.#begin(sums, line);
        this.#k.scope(() => {
          const tokens = [this.#k.gpr('tokens0'), this.#k.gpr('tokens1')];
          const panel = this.#k.gpr('panel');
          x.mov(tokens[0], low);
          x.mov(tokens[1], high);
          x.lea(panel, mem(this.#k.scratch, this.#scratch.panel));
          this.#k.countdown(this.#get('chunk'), () => this.#step(panel, tokens, line), true);
        });
        SUM_TILES.forEach((tile, i) => void this.#unit.store(tile, sums, i * TILE_BYTES, line));
        x.add(sums, SUMS);
        x.mov(low, high);
        x.add(low, this.#at('groupBytes'));
      },
      true,
    );
  }

  /** Sums of the chunks before, or zeros. */
  #begin(sums: Gpr, line: Gpr): void {
    const first = this.#k.gpr('first');
    this.#k.x.mov(first, this.#at('step'));
    this.#k.x.test(first, first);
    this.#k.free(first);
    this.#k.when(
      'e',
      () => {
        for (const tile of SUM_TILES) this.#unit.zero(tile);
      },
      () => SUM_TILES.forEach((tile, i) => void this.#unit.load(tile, sums, i * TILE_BYTES, line)),
    );
  }

  /** 32 columns: every load stands as late as it can, between products. */
  #step(panel: Gpr, [low, high]: readonly Gpr[], line: Gpr): void {
    const { activations, weights } = this.#terms;
    let loaded = -1;
    for (const { a, w } of termPairs(this.#terms)) {
      const fresh = w !== loaded;
      loaded = w;
      if (fresh) this.#unit.load(WEIGHTS_LOW, panel, w * PANEL_STEP, line);
      this.#unit.load(TOKENS_LOW, low, a * TILE_BYTES, line);
      this.#unit.multiplyBf16(SUM_TILES[0], WEIGHTS_LOW, TOKENS_LOW);
      this.#unit.load(TOKENS_HIGH, high, a * TILE_BYTES, line);
      this.#unit.multiplyBf16(SUM_TILES[1], WEIGHTS_LOW, TOKENS_HIGH);
      if (fresh) this.#unit.load(WEIGHTS_HIGH, panel, w * PANEL_STEP + TILE_BYTES, line);
      this.#unit.multiplyBf16(SUM_TILES[2], WEIGHTS_HIGH, TOKENS_LOW);
      this.#unit.multiplyBf16(SUM_TILES[3], WEIGHTS_HIGH, TOKENS_HIGH);
    }
    this.#k.x.add(panel, weights * PANEL_STEP);
    this.#k.x.add(low, activations * TILE_BYTES);
    this.#k.x.add(high, activations * TILE_BYTES);
  }

  /** Sums, rows by tokens, to y, tokens by rows. */
  #results(): void {
    const { x } = this.#k;
    const [sums, left, y] = [this.#k.gpr('sums'), this.#get('tokensLeft'), this.#get('yAt')];
    const masks = [this.#k.registers.mask('rows'), this.#k.registers.mask('high rows')];
    this.#rowMasks(masks);
    this.#minimum(left, PANEL_TOKENS);
    x.lea(sums, mem(this.#k.scratch, this.#scratch.sums));
    this.#k.while(left, 'g', 0, () => {
      for (let tile = 0; tile < 4; tile++) {
        const at = (row: number): Memory => mem(sums, tile * TILE_BYTES + 64 * row);
        transpose16(this.#k, at, at);
      }
      for (let half = 0; half < PAIR; half++) {
        this.#k.scope(() => {
          const [from, count] = [this.#k.gpr('from'), this.#k.gpr('count')];
          const values = this.#k.vecs('values', 2);
          x.lea(from, mem(sums, half * TILE_BYTES));
          x.mov(count, left);
          this.#minimum(count, TILE_TOKENS);
          x.sub(left, count);
          this.#k.countdown(count, () => {
            values.forEach((value, i) => {
              x.vmovups(value, mem(from, i * PAIR * TILE_BYTES));
              x.vmovups_store(masked(mem(y, 64 * i), masks[i]), value);
            });
            x.add(from, 64);
            x.add(y, this.#at('yStride'));
          });
        });
      }
      x.add(sums, SUMS);
    });
  }

  /** Of the piece's rows that are there: the first 16, the others. */
  #rowMasks([low, high]: readonly ReturnType<KernelBuilder['registers']['mask']>[]): void {
    const { x } = this.#k;
    this.#k.scope(() => {
      const [rows, ones] = [this.#get('rowsLeft'), this.#k.gpr('ones')];
      this.#minimum(rows, PANEL_ROWS);
      x.mov(ones, -1);
      x.bzhi(ones, ones, rows);
      x.kmovq_from(low, ones);
      x.kshiftrq(high, low, TILE_ROWS);
    });
  }
}
