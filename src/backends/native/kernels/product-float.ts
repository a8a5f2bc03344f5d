/**
 * Products of f32 activations with f32, f16 or bf16 weights, all arithmetic in f32: y[t, n] = sum over k of
 * x[t, k] w[n, k]. Lanes are columns; a tile of rows and tokens shares its loads. Each output is one chain of sums, the
 * same for every size of tile, so its bits depend on its row and its token alone.
 *
 * Letters: R rows and C tokens of a tile.
 */
import { defineKernel, type KernelBuilder, type KernelSource } from '../kernel.ts';
import type { Level } from '../level.ts';
import { type Gpr, type Memory, mem, type Vec, xmm } from '../x64/index.ts';
import { type Columns, eachColumns, lowerHalf } from './columns.ts';
import { acrossLanes } from './lanes.ts';

/** Matrices with the bytes from row to row; weights [rows, cols] without gaps. */
export const FLOAT_ARGS = ['weights', 'rows', 'cols', 'x', 'xStride', 'tokens', 'y', 'yStride'] as const;

/** Rows that a thread claims at a time: 400 KB of f32 in rows of 3072 columns stay in a second-level cache. */
const CLAIM = 24;

/** Variables in scratch, 8 bytes each. */
const SLOTS = [...FLOAT_ARGS, 'counter', 'rowBytes', 'row', 'end', 'first', 'token'] as const;
type Slot = (typeof SLOTS)[number];
export const FLOAT_SCRATCH = 8 * SLOTS.length;

/** Bytes of a weight, and how a vector of them becomes f32. */
interface FloatWeight {
  readonly bytes: 2 | 4;
  load(k: KernelBuilder, part: Columns, target: Vec, base: Gpr): void;
}

const WEIGHTS = {
  f32: { bytes: 4, load: (_, part, target, base) => part.load(target, base) },
  f16: {
    bytes: 2,
    load: (k, part, target, base) => {
      part.load(lowerHalf(k, target), base, 2);
      k.x.vcvtph2ps(target, lowerHalf(k, target));
    },
  },
  bf16: {
    bytes: 2,
    load: (k, part, target, base) => {
      part.load(lowerHalf(k, target), base, 2);
      k.x.vpmovzxwd(target, lowerHalf(k, target));
      k.x.vpslld(target, target, 16);
    },
  },
} as const satisfies Record<string, FloatWeight>;

/** A tile that fills the registers; both sides divide `CLAIM` or are cut up. */
const tileOf = (level: Level) => (level.avx512 ? { rows: 4, tokens: 5 } : { rows: 3, tokens: 3 });

class FloatProduct {
  readonly #k: KernelBuilder<(typeof FLOAT_ARGS)[number]>;
  readonly #weight: FloatWeight;

  constructor(k: KernelBuilder<(typeof FLOAT_ARGS)[number]>, weight: FloatWeight) {
    this.#k = k;
    this.#weight = weight;
  }

  emit(): void {
    const k = this.#k;
    this.#begin();
    const done = k.label();
    const next = k.here();
    k.scope(() => {
      const [group, end, rows] = [k.gpr('group'), k.gpr('end'), k.gpr('rows')];
      k.x.mov(end, this.#at('counter'));
      k.x.mov(group, 1);
      k.x.lockXadd32(mem(end), group);
      k.x.load32s(group, group);
      k.x.imul(group, group, CLAIM);
      k.x.mov(rows, this.#at('rows'));
      k.x.cmp(group, rows);
      k.j('ge', done);
      k.x.store64(this.#at('first'), group);
      k.x.lea(end, mem(group, CLAIM));
      k.x.cmp(end, rows);
      k.x.cmov('g', end, rows);
      k.x.store64(this.#at('end'), end);
      k.x.store64(this.#at('token'), 0);
    });
    const { rows, tokens } = tileOf(k.level);
    this.#steps('token', 'tokens', tokens, (count) => {
      this.#set('row', 'first');
      this.#steps('row', 'end', rows, (height) => this.#tile(height, count));
    });
    k.jmp(next);
    k.bind(done);
  }

  #at(slot: Slot): Memory {
    return mem(this.#k.scratch, 8 * SLOTS.indexOf(slot));
  }

  #set(slot: Slot, from: Slot): void {
    this.#k.scope(() => {
      const value = this.#k.gpr('value');
      this.#k.x.mov(value, this.#at(from));
      this.#k.x.store64(this.#at(slot), value);
    });
  }

  /** Arguments and the counter to scratch; all registers but scratch's become free. */
  #begin(): void {
    const k = this.#k;
    k.free(k.thread, k.threads);
    k.scope(() => {
      const value = k.gpr('value');
      for (const name of FLOAT_ARGS) {
        k.x.vcvttsd2si(value, k.arg(name));
        k.x.store64(this.#at(name), value);
      }
      k.x.mov(value, this.#at('cols'));
      k.x.imul(value, value, this.#weight.bytes);
      k.x.store64(this.#at('rowBytes'), value);
    });
    k.x.store64(this.#at('counter'), k.counter);
    k.free(k.counter, k.record);
  }

  /** Steps `slot` up to `end`: by `step` as long as that many are left, then by 1. */
  #steps(slot: Slot, end: Slot, step: number, body: (count: number) => void): void {
    const k = this.#k;
    for (const count of [step, 1]) {
      const out = k.label();
      const top = k.here();
      k.scope(() => {
        const next = k.gpr('next');
        k.x.mov(next, this.#at(slot));
        k.x.add(next, count);
        k.x.cmp(next, this.#at(end));
        k.j('g', out);
      });
      body(count);
      k.scope(() => {
        const next = k.gpr('next');
        k.x.mov(next, this.#at(slot));
        k.x.add(next, count);
        k.x.store64(this.#at(slot), next);
      });
      k.jmp(top);
      k.bind(out);
    }
  }

  /** Addresses of `count` rows from `slot` on. */
  #rows(name: string, count: number, slot: Slot, base: Slot, stride: Slot): Gpr[] {
    const k = this.#k;
    const rows = Array.from({ length: count }, (_, i) => k.gpr(`${name}${i}`));
    rows.forEach((row, i) => {
      if (i === 0) {
        k.x.mov(row, this.#at(slot));
        k.x.imul(row, this.#at(stride));
        k.x.add(row, this.#at(base));
      } else {
        k.x.mov(row, rows[i - 1]);
        k.x.add(row, this.#at(stride));
      }
    });
    return rows;
  }

  #tile(height: number, count: number): void {
    const k = this.#k;
    k.scope(() => {
      const sums = Array.from({ length: count }, (_, t) => k.vecs(`sum ${t} `, height));
      k.zero(...sums.flat());
      k.scope(() => this.#accumulate(sums, height, count));
      const [y] = this.#rows('y', 1, 'token', 'y', 'yStride');
      const row = k.gpr('row');
      k.x.mov(row, this.#at('row'));
      k.x.shl(row, 2);
      k.x.add(y, row);
      for (const line of sums) {
        line.forEach((sum, r) => {
          acrossLanes(k, sum, 'vaddps');
          k.x.vmovss_store(mem(y, 4 * r), xmm(sum));
        });
        k.x.add(y, this.#at('yStride'));
      }
    });
  }

  #accumulate(sums: readonly (readonly Vec[])[], height: number, count: number): void {
    const k = this.#k;
    const weights = k.vecs('w', height);
    const value = k.vec('x');
    const rows = this.#rows('w', height, 'row', 'weights', 'rowBytes');
    const tokens = this.#rows('x', count, 'token', 'x', 'xStride');
    const [at, left] = [k.gpr('at'), k.gpr('left')];
    k.clear(at);
    k.x.mov(left, this.#at('cols'));
    eachColumns(k, at, left, ([part]) => {
      rows.forEach((row, r) => {
        this.#weight.load(k, part, weights[r], row);
      });
      tokens.forEach((token, t) => {
        part.load(value, token);
        weights.forEach((weight, r) => {
          k.x.vfmadd231ps(sums[t][r], weight, value);
        });
      });
    });
  }
}

const kernelOf = (name: string, weight: FloatWeight): KernelSource =>
  defineKernel({
    name: `product_${name}`,
    args: FLOAT_ARGS,
    emit: (k) => new FloatProduct(k, weight).emit(),
  });

/** `product_f32`, `product_f16`, `product_bf16`. */
export const FLOAT_PRODUCTS: readonly KernelSource[] = Object.entries(WEIGHTS).map(([name, weight]) =>
  kernelOf(name, weight),
);
