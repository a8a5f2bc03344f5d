/**
 * The softmax of flash attention, row by row. A row's state is a record: its sum of weighted values [padded D], the
 * sums of its weights by lanes [16], the largest score so far in 16 lanes. What is masked gets weight 0, which leaves
 * sums as they were, and a maximum that has not grown scales them by 1: so a row's bits do not depend on the tiles and
 * pieces that it has no part in.
 */
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, type Memory, masked, mem, memAt, plus, type Vec, xmm } from '../x64/index.ts';
import { acrossLanes, eachVector } from './attention-lanes.ts';
import { TILE_KEYS } from './attention-layout.ts';
import { exp } from './exp.ts';

/** Below every score that is a number: what is subtracted from scores of a row that has seen none. */
const LOWEST = -3.4028234663852886e38;
/** Bytes of 16 lanes. */
const LINE = 64;

/** A row's record: where it begins, and where its weight sums do. The maxima follow. */
export interface Record {
  readonly sums: Gpr;
  readonly totals: Gpr;
}

/** Offsets of the scores of a tile's row. */
export const tileOffsets = (k: KernelBuilder): number[] =>
  Array.from({ length: (4 * TILE_KEYS) / k.level.bytes }, (_, i) => i * k.level.bytes);

/** Fills a record: no weights yet. */
export function clearRecord(k: KernelBuilder, { sums, totals }: Record): void {
  k.scope(() => {
    const zero = k.vec('zero');
    const none = k.vec('none');
    const end = k.gpr('end');
    k.zero(zero);
    k.x.vmovups(none, k.f32(-Infinity));
    k.x.mov(end, totals);
    k.x.sub(end, sums);
    k.x.add(end, LINE);
    eachVector(k, end, (offset) => {
      k.x.vmovups_store(memAt(sums, offset), zero);
    });
    for (let i = 0; i < LINE; i += k.level.bytes) k.x.vmovups_store(mem(totals, LINE + i), none);
  });
}

/**
 * Emits: scores outside `low .. high` to -infinity. @param indices i32 numbers of the scores from `first` on.
 */
export function maskVector(
  k: KernelBuilder,
  scores: Vec,
  indices: Vec,
  low: Vec,
  high: Vec,
  none: Vec,
): void {
  k.scope(() => {
    if (k.level.avx512) {
      const [below, keep] = [k.registers.mask('below'), k.registers.mask('keep')];
      k.x.vpcmpd(below, indices, high, 1); // less
      k.x.vpcmpd(masked(keep, below), indices, low, 5); // not less
      k.x.vblendmps(masked(scores, keep), none, scores);
      return;
    }
    const [below, before] = k.vecs('keep', 2);
    k.x.vpcmpgtd(below, high, indices);
    k.x.vpcmpgtd(before, low, indices);
    k.x.vpandn(below, before, below);
    k.x.vblendvps(scores, none, scores, below);
  });
}

/** i32 numbers 0, 1, 2, ... and so on in vectors, from `first` on. */
export const indices = (k: KernelBuilder, first: number): Memory =>
  k.constant(new Uint8Array(Int32Array.from({ length: k.lanes }, (_, i) => first + i).buffer));

/** The low 32 bits of a register in all lanes. */
export function splatInt(k: KernelBuilder, value: Gpr, name: string): Vec {
  const all = k.vec(name);
  k.x.vmovq(xmm(all), value);
  k.x.vpbroadcastd(all, xmm(all));
  return all;
}

/** Masks a tile's row of scores in memory. */
export function maskTile(k: KernelBuilder, scores: Gpr, low: Gpr, high: Gpr): void {
  k.scope(() => {
    const lows = splatInt(k, low, 'low');
    const highs = splatInt(k, high, 'high');
    const [none, index, value] = ['none', 'index', 'value'].map((name) => k.vec(name));
    k.x.vmovups(none, k.f32(-Infinity));
    for (const offset of tileOffsets(k)) {
      k.x.vmovups(index, indices(k, offset / 4));
      k.x.vmovups(value, mem(scores, offset));
      maskVector(k, value, index, lows, highs, none);
      k.x.vmovups_store(mem(scores, offset), value);
    }
  });
}

/** A tile's scores to weights relative to the largest so far; the record's sums shrink where that has grown. */
export function foldTile(k: KernelBuilder, scores: Gpr, record: Record): void {
  k.scope(() => {
    const { x } = k;
    const [old, now, base] = ['old', 'now', 'base'].map((name) => k.vec(name));
    const top = mem(record.totals, LINE);
    const [first, ...others] = tileOffsets(k);
    x.vmovups(now, mem(scores, first));
    for (const offset of others) x.vmaxps(now, now, mem(scores, offset));
    acrossLanes(k, now, 'vmaxps');
    x.vmovups(old, top);
    x.vmaxps(now, now, old);
    x.vmaxps(base, now, k.f32(LOWEST));
    x.vucomiss(xmm(now), xmm(old));
    k.when('ne', () => {
      for (let i = 0; i < LINE; i += k.level.bytes) x.vmovups_store(plus(top, i), now);
      x.vsubps(old, old, base);
      exp(k, old, { atMost0: true });
      scaleRecord(k, record, old);
    });
    const total = now;
    x.vmovups(total, mem(record.totals));
    const weight = old;
    for (const offset of [first, ...others]) {
      x.vmovups(weight, mem(scores, offset));
      x.vsubps(weight, weight, base);
      exp(k, weight, { atMost0: true });
      x.vmovups_store(mem(scores, offset), weight);
      x.vaddps(total, total, weight);
    }
    x.vmovups_store(mem(record.totals), total);
  });
}

function scaleRecord(k: KernelBuilder, { sums, totals }: Record, factor: Vec): void {
  k.scope(() => {
    const value = k.vec('value');
    const end = k.gpr('end');
    k.x.lea(end, mem(totals, LINE));
    k.x.sub(end, sums);
    eachVector(k, end, (offset) => {
      k.x.vmulps(value, factor, memAt(sums, offset));
      k.x.vmovups_store(memAt(sums, offset), value);
    });
  });
}

/** Adds the record of a piece to that of the pieces before it. */
export function mergeRecord(k: KernelBuilder, into: Record, from: Record): void {
  k.scope(() => {
    const { x } = k;
    const [a, b, base, value] = ['a', 'b', 'base', 'value'].map((name) => k.vec(name));
    x.vmovups(a, mem(into.totals, LINE));
    x.vmovups(b, mem(from.totals, LINE));
    x.vmaxps(base, a, b);
    for (let i = 0; i < LINE; i += k.level.bytes) x.vmovups_store(mem(into.totals, LINE + i), base);
    x.vmaxps(base, base, k.f32(LOWEST));
    for (const factor of [a, b]) {
      x.vsubps(factor, factor, base);
      exp(k, factor, { atMost0: true });
    }
    const end = k.gpr('end');
    x.lea(end, mem(into.totals, LINE));
    x.sub(end, into.sums);
    eachVector(k, end, (offset) => {
      x.vmulps(value, a, memAt(into.sums, offset));
      x.vfmadd231ps(value, b, memAt(from.sums, offset));
      x.vmovups_store(memAt(into.sums, offset), value);
    });
  });
}
