/**
 * What machine code reads weights from: blocks through their unpacker, or rows of floats. `expand` takes 32 columns after
 * the other apart to f32 and splits them into bf16 terms.
 */
import type { KernelBuilder } from '../../kernel.ts';
import type { Header, Kept, Unpack } from '../../unpack/unpack.ts';
import {
  broadcast,
  type Gpr,
  type Memory,
  mem,
  type Register,
  type Vec,
  xmm,
  ymm,
  zeroing,
  zmm,
} from '../../x64/index.ts';
import { setStepMasks, stepMasks } from './columns.ts';
import { PANEL_ROWS, STEP, type Terms } from './shape.ts';
import { splitTerms } from './terms.ts';

/** Formats of floats, and bytes of a number. */
export const FLOATS = { F32: 4, F16: 2, BF16: 2 } as const;
export type FloatFormat = keyof typeof FLOATS;

export type WeightKind = Unpack | FloatFormat;

/** Undefined where the format is none of floats. */
export function floatFormat({ name }: { readonly name: string }): FloatFormat | undefined {
  return name in FLOATS ? (name as FloatFormat) : undefined;
}

export const nameOf = (kind: WeightKind): string => (typeof kind === 'string' ? kind : kind.format);

/** Bytes and weights of the smallest piece of a row. */
export function blockOf(kind: WeightKind): { readonly bytes: number; readonly weights: number } {
  return typeof kind === 'string'
    ? { bytes: FLOATS[kind], weights: 1 }
    : { bytes: kind.blockBytes, weights: kind.block };
}

/** Terms of weights that leave nothing out; 2^-24 of an f32 at most. */
const FLOAT_TERMS = { BF16: 1, F16: 2, F32: 3 } as const satisfies Record<FloatFormat, number>;

/**
 * The terms for weights of a kind. Blocks: one plane of activations (fast; relative error 2.3e-3, as good as bf16) or two
 * (4.5e-6, to measure with). Floats: f32's precision always (1.1e-7 to 1.6e-7). Errors: root mean square against sums in
 * f64, 1280 random columns.
 */
export function termsOf(kind: WeightKind, planes: 1 | 2): Terms {
  if (typeof kind === 'string') return { activations: 3, weights: FLOAT_TERMS[kind] };
  return { activations: planes, weights: planes };
}

/** Bytes of scratch that `expand` uses: 16 scales and 16 mins. */
export const EXPAND_SCRATCH = 128;

/** A chunk of one weight row. Its registers are destroyed. */
export interface RowChunk {
  /** First weight of the chunk. */
  readonly from: Gpr;
  /** Place of the row's first step in the panel. */
  readonly to: Gpr;
  /** Steps of 32 columns. */
  readonly steps: Gpr;
  /** Columns from the chunk's first one to the row's end. */
  readonly left: Gpr;
}

/** Constants that are set up before all rows, and the code for a row; row by row the same. */
export interface RowExpander {
  /** @param scales `EXPAND_SCRATCH` bytes of the thread. */
  row(chunk: RowChunk, scales: Memory): void;
  /** Gives the constants' registers back. */
  end(): void;
}

/** @param terms of a weight; step s, term t of a row go to `to + ((s * terms + t) * PANEL_ROWS) * 64`. */
export function rowExpander(k: KernelBuilder, kind: WeightKind, terms: number): RowExpander {
  return typeof kind === 'string' ? new FloatRows(k, kind, terms) : new BlockRows(k, kind, terms);
}

/** Bytes from a term of a step to the next one. */
const TERM = PANEL_ROWS * 2 * STEP;

class FloatRows implements RowExpander {
  readonly #k: KernelBuilder;
  readonly #kind: FloatFormat;
  readonly #terms: number;

  constructor(k: KernelBuilder, kind: FloatFormat, terms: number) {
    if (kind === 'BF16' && terms !== 1) throw new Error('weights in bf16 are one term');
    this.#k = k;
    this.#kind = kind;
    this.#terms = terms;
  }

  row({ from, to, steps, left }: RowChunk): void {
    const { x } = this.#k;
    this.#k.scope(() => {
      const masks = stepMasks(this.#k);
      const [low, high] = this.#k.vecs('weights', 2);
      this.#k.countdown(
        steps,
        () => {
          setStepMasks(this.#k, masks, left);
          if (this.#kind === 'BF16') {
            x.vmovdqu16(zeroing(low, masks.all), mem(from));
            x.vmovups_store(mem(to), low);
          } else {
            if (this.#kind === 'F32') {
              x.vmovups(zeroing(low, masks.all), mem(from));
              x.vmovups(zeroing(high, masks.high), mem(from, 64));
            } else {
              x.vcvtph2ps(zeroing(low, masks.all), mem(from));
              x.vcvtph2ps(zeroing(high, masks.high), mem(from, 32));
            }
            splitTerms(this.#k, [low, high], this.#terms, (t, packed) => {
              x.vmovups_store(mem(to, t * TERM), packed);
            });
          }
          x.add(from, STEP * FLOATS[this.#kind]);
          x.add(to, this.#terms * TERM);
          x.sub(left, STEP);
        },
        true,
      );
    });
  }

  end(): void {}
}

class BlockRows implements RowExpander {
  readonly #k: KernelBuilder;
  readonly #unpack: Unpack;
  readonly #terms: number;
  readonly #kept: Kept;

  constructor(k: KernelBuilder, unpack: Unpack, terms: number) {
    this.#k = k;
    this.#unpack = unpack;
    this.#terms = terms;
    this.#kept = unpack.setup(k);
  }

  row({ from, to, steps }: RowChunk, scales: Memory): void {
    const { x } = this.#k;
    const { block, blockBytes } = this.#unpack;
    const blocks = steps;
    if (block === 256) x.shr(blocks, 3);
    this.#k.countdown(
      blocks,
      () => {
        for (let line = 0; line < blockBytes; line += 64) x.prefetcht0(mem(from, 4 * blockBytes + line));
        this.#k.scope(() => this.#block(from, to, scales));
        x.add(from, blockBytes);
        x.add(to, (block / STEP) * this.#terms * TERM);
      },
      true,
    );
  }

  end(): void {
    this.#k.free(...Object.values(this.#kept));
  }

  #block(from: Gpr, to: Gpr, scales: Memory): void {
    const { block } = this.#unpack;
    const header = this.#unpack.header(this.#k, from, this.#kept);
    const { scale, mins } = this.#scales(header, scales);
    const shared = this.#unpack.share?.(this.#k, from, this.#kept) ?? {};
    const codes = this.#k.vec('codes');
    const target = block === 32 ? ymm(codes) : codes;
    for (let i = 0; i * target.bytes < block; i++) {
      this.#unpack.codes(this.#k, from, i, target, this.#kept, shared);
      for (let half = 0; half < target.bytes / STEP; half++) {
        const step = i * (target.bytes / STEP) + half;
        this.#step(codes, half, step, { scale, mins }, (t) => mem(to, (step * this.#terms + t) * TERM));
      }
    }
  }

  /** d * scale and dmin * min of every 16 weights, as memory; gives the header's registers back. */
  #scales({ d, dmin, scales, mins }: Header, at: Memory): Factors {
    const { x } = this.#k;
    const words = (
      name: string,
      factor: Register<'xmm'>,
      integers: Register<'ymm'> | undefined,
      disp: number,
    ) => {
      const all = this.#k.registers.zmm(name);
      x.vbroadcastss(all, factor);
      if (integers) {
        x.vpmovsxwd(zmm(integers), integers);
        x.vcvtdq2ps(zmm(integers), zmm(integers));
        x.vmulps(all, all, zmm(integers));
      }
      const place = { ...at, disp: at.disp + disp };
      x.vmovups_store(place, all);
      this.#k.free(all, factor, ...(integers ? [integers] : []));
      return place;
    };
    return {
      scale: words('scale', d, scales, 0),
      mins: dmin && words('min', dmin, mins, 64),
    };
  }

  /** 32 weights of the codes, from byte 32 `half` on, to their terms. */
  #step(
    codes: Vec,
    half: number,
    step: number,
    { scale, mins }: Factors,
    to: (term: number) => Memory,
  ): void {
    const { x } = this.#k;
    this.#k.scope(() => {
      const weights = ['low', 'high'].map((name) => this.#k.registers.zmm(name));
      const factor = this.#k.registers.zmm('factor');
      weights.forEach((values, j) => {
        const lane = 2 * half + j;
        const group = 4 * (2 * step + j);
        if (lane > 0) x.vextracti32x4(xmm(values), zmm(codes), lane);
        x.vpmovzxbd(values, lane > 0 ? xmm(values) : xmm(codes));
        if (this.#unpack.offset) x.vpsubd(values, values, this.#k.i32(this.#unpack.offset));
        x.vcvtdq2ps(values, values);
        const place = { ...scale, disp: scale.disp + group };
        if (mins) {
          x.vbroadcastss(factor, place);
          x.vfmsub213ps(values, factor, broadcast({ ...mins, disp: mins.disp + group }));
        } else x.vmulps(values, values, broadcast(place));
      });
      splitTerms(this.#k, [weights[0], weights[1]], this.#terms, (t, packed) => {
        x.vmovups_store(to(t), packed);
      });
    });
  }
}

interface Factors {
  readonly scale: Memory;
  readonly mins: Memory | undefined;
}
