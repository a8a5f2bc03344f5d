/**
 * How well rows of logits predict: losses and divergences. e^x is f32, sums are f64. A row with a NaN, with +inf or with
 * nothing but -inf has no probabilities; its figures are NaN.
 */
import { defineKernel, type KernelBuilder, type KernelSource } from '../kernel.ts';
import {
  type Gpr,
  low32,
  masked,
  mem,
  memAt,
  type Register,
  rsp,
  type Vec,
  xmm,
  zeroing,
} from '../x64/index.ts';
import { type Columns, eachColumns, lowerHalf } from './columns.ts';
import { exp, expLess1 } from './exp.ts';
import { acrossLanes, widen } from './lanes.ts';
import { f64, log, log1p } from './log.ts';
import { checkIndexArg, eachRow, spare } from './work.ts';

type Scalar = Register<'xmm'>;

const NO_LOGIT = Number.NEGATIVE_INFINITY;

/** Emits `body` for all columns of a row. */
function wholeRow(
  k: KernelBuilder,
  unroll: number,
  body: (parts: readonly Columns[], at: Gpr) => void,
): void {
  const at = k.gpr('at');
  k.clear(at);
  const count = k.int('cols');
  eachColumns(k, at, count, (parts) => body(parts, at), { unroll });
  k.free(at, count);
}

/** The largest logit of the row at `x`, in lane 0; NaN ones are passed over. */
function largest(k: KernelBuilder, x: Gpr): Vec {
  const tops = k.vecs('top', 4);
  const value = k.vec('value');
  for (const top of tops) k.x.vmovups(top, k.f32(NO_LOGIT));
  wholeRow(k, tops.length, (parts) => {
    parts.forEach((part, i) => {
      part.load(value, x, 4, k.f32(NO_LOGIT));
      // Where one operand is NaN the second is the result.
      k.x.vmaxps(tops[i], value, tops[i]);
    });
  });
  const [top, ...others] = tops;
  for (const other of others) k.x.vmaxps(top, top, other);
  acrossLanes(k, top, 'vmaxps');
  k.free(value, ...others);
  return top;
}

/** Id of the first logit of the row at `x` that equals lane 0 of `most`; 0 where the first one is NaN. */
function firstAt(k: KernelBuilder, x: Gpr, most: Vec): Gpr {
  const [id, bits] = [k.gpr('id'), k.gpr('bits')];
  const [wanted, value] = k.vecs('wanted', 2);
  const [found, done] = [k.label(), k.label()];
  k.x.vbroadcastss(wanted, xmm(most));
  k.clear(id);
  k.x.vmovss(xmm(value), mem(x));
  k.x.vucomiss(xmm(value), xmm(value));
  k.j('p', done);
  wholeRow(k, 1, ([part], at) => {
    part.load(value, x);
    equalLanes(k, bits, value, wanted);
    k.x.mov(id, at);
    k.x.test(bits, bits);
    k.j('ne', found);
  });
  k.clear(id);
  k.jmp(done);
  k.bind(found);
  k.x.tzcnt(bits, bits);
  k.x.add(id, bits);
  k.bind(done);
  k.free(bits, wanted, value);
  return id;
}

/** A bit for each lane of `value` that equals that of `wanted`; destroys `value`. */
function equalLanes(k: KernelBuilder, bits: Gpr, value: Vec, wanted: Vec): void {
  if (k.level.avx512) {
    const mask = k.registers.mask('equal');
    k.x.vcmpps(mask, value, wanted, 0);
    k.x.kmovw_to(low32(bits), mask);
    k.free(mask);
  } else {
    k.x.vcmpps(value, value, wanted, 0);
    k.x.vmovmskps(low32(bits), value);
  }
}

/** Sum of e^(x - most) over the row at `x`, f64 in lane 0. */
function total(k: KernelBuilder, x: Gpr, most: Vec): Vec {
  const [sum, value, high, offset] = ['total', 'value', 'high', 'offset'].map((name) => k.vec(name));
  k.zero(sum);
  k.x.vbroadcastss(offset, xmm(most));
  wholeRow(k, 2, (parts) => {
    for (const part of parts) {
      part.load(value, x, 4, k.f32(NO_LOGIT));
      k.x.vsubps(value, value, offset);
      exp(k, value, { atMost0: true });
      widen(k, value, high, value);
      k.x.vaddpd(sum, sum, value);
      k.x.vaddpd(sum, sum, high);
    }
  });
  acrossLanes(k, sum, 'vaddpd');
  k.free(value, high, offset);
  return sum;
}

/** `logTotal` less the target's logit above the largest one, in place: its negative log-likelihood. */
function nllOf(k: KernelBuilder, logTotal: Scalar, x: Gpr, target: Gpr, most: Vec): void {
  const [logit, top] = [k.registers.xmm('logit'), k.registers.xmm('top')];
  k.x.vcvtss2sd(logit, logit, memAt(x, target, 4));
  k.x.vcvtss2sd(top, top, xmm(most));
  k.x.vsubsd(logit, logit, top);
  k.x.vsubsd(logTotal, logTotal, logit);
  k.free(logit, top);
}

/** An f64 to f32 in memory; the register stays. */
function storeNumber(k: KernelBuilder, out: Gpr, place: number, value: Scalar): void {
  const single = k.registers.xmm('single');
  k.x.vcvtsd2ss(single, value, value);
  k.x.vmovss_store(mem(out, place), single);
  k.free(single);
}

/** out[s] = negative log-likelihood of target s (nats), id of the largest logit; logits [rows, cols]. */
const loss = defineKernel({
  name: 'loss',
  args: ['logits', 'logitsStride', 'targets', 'targetsStride', 'out', 'outStride', 'rows', 'cols'],
  emit: (k) => {
    spare(k);
    eachRow(k, ['logits', 'targets', 'out'], ([x, target, out], next) => {
      k.x.load32(target, mem(target));
      checkIndexArg(k, target, 'cols', next);
      const most = largest(k, x);
      const sum = total(k, x, most);
      log(k, xmm(sum));
      nllOf(k, xmm(sum), x, target, most);
      storeNumber(k, out, 0, xmm(sum));
      const id = firstAt(k, x, most);
      k.x.vcvtsi2sd(xmm(sum), xmm(sum), id);
      storeNumber(k, out, 4, xmm(sum));
      k.free(most, sum, id);
    });
  },
});

/** Bound of expLess1: ln 2 / 2. */
const NEAR = 0.34657359;

/** Below rsp: the largest logits as f32, and their difference as f64. */
const MOST = mem(rsp, -8);
const BASE_MOST = mem(rsp, -16);
const SHIFT = mem(rsp, -24);

/** f64 sums over a row, in lane 0. */
interface Comparison {
  /** e^u. */
  readonly baseTotal: Vec;
  /** e^v - e^u: what x's total has more. */
  readonly excess: Vec;
  /** e^u d. */
  readonly cross: Vec;
}

/** low, high = base - own + SHIFT, in f64. */
function differences(k: KernelBuilder, base: Vec, own: Vec, low: Vec, high: Vec): void {
  const [a, b] = k.vecs('own f64 ', 2);
  widen(k, low, high, base);
  widen(k, a, b, own);
  k.x.vsubpd(low, low, a);
  k.x.vsubpd(high, high, b);
  k.x.vbroadcastsd(a, SHIFT);
  k.x.vaddpd(low, low, a);
  k.x.vaddpd(high, high, a);
  k.free(a, b);
}

/** -(low, high) as f32. */
function negatedSingles(k: KernelBuilder, target: Vec, low: Vec, high: Vec): void {
  const upper = k.vec('upper');
  k.x.vcvtpd2ps(lowerHalf(k, target), low);
  k.x.vcvtpd2ps(lowerHalf(k, upper), high);
  if (k.level.avx512) k.x.vinsertf64x4(target, target, lowerHalf(k, upper), 1);
  else k.x.vinsertf128(target, target, xmm(upper), 1);
  k.x.vxorps(target, target, k.i32(-0x80000000));
  k.free(upper);
}

/** own = e^(own - MOST) - power where `back` is large, power (e^back - 1) else; destroys `back`. */
function excessOf(k: KernelBuilder, own: Vec, power: Vec, back: Vec): void {
  const size = k.vec('size');
  k.x.vbroadcastss(size, MOST);
  k.x.vsubps(own, own, size);
  exp(k, own, { atMost0: true });
  k.x.vsubps(own, own, power);
  k.x.vandps(size, back, k.i32(0x7fffffff));
  if (k.level.avx512) {
    const near = k.registers.mask('near');
    k.x.vcmpps(near, size, k.f32(NEAR), 2);
    expLess1(k, back);
    k.x.vmulps(masked(own, near), back, power);
    k.free(near);
  } else {
    k.x.vcmpps(size, size, k.f32(NEAR), 2);
    expLess1(k, back);
    k.x.vmulps(back, back, power);
    k.x.vblendvps(own, own, back, size);
  }
  k.free(size);
}

/** cross += power * d; 0 where power is 0, whatever d. Destroys d. */
function addWeighted(k: KernelBuilder, cross: Vec, power: Vec, d: Vec): void {
  if (k.level.avx512) {
    const some = k.registers.mask('some');
    k.x.vcmppd(some, power, k.f32(0), 4);
    k.x.vmulpd(zeroing(d, some), power, d);
    k.free(some);
  } else {
    const some = k.vec('some');
    k.x.vcmppd(some, power, k.f32(0), 4);
    k.x.vmulpd(d, power, d);
    k.x.vandpd(d, d, some);
    k.free(some);
  }
  k.x.vaddpd(cross, cross, d);
}

/**
 * Sums over logits x and base logits b, at most MOST and BASE_MOST. With u = b - BASE_MOST, v = x - MOST and d = u - v:
 * e^u; e^v - e^u; e^u d. Where d is small, e^v - e^u is e^u (e^-d - 1), so that errors of e^u cancel in the divergence
 * of distributions that are close.
 */
function compare(k: KernelBuilder, x: Gpr, b: Gpr): Comparison {
  const [baseTotal, excess, cross] = k.vecs('sum', 3);
  k.zero(baseTotal, excess, cross);
  wholeRow(k, 1, ([part]) => {
    const [own, base, low, high, back] = ['own', 'base', 'low', 'high', 'back'].map((name) => k.vec(name));
    part.load(own, x, 4, k.f32(NO_LOGIT));
    part.load(base, b, 4, k.f32(NO_LOGIT));
    differences(k, base, own, low, high);
    negatedSingles(k, back, low, high);
    const power = base;
    const offset = k.vec('offset');
    k.x.vbroadcastss(offset, BASE_MOST);
    k.x.vsubps(power, power, offset);
    k.free(offset);
    exp(k, power, { atMost0: true });
    excessOf(k, own, power, back);
    widen(k, own, back, own);
    k.x.vaddpd(excess, excess, own);
    k.x.vaddpd(excess, excess, back);
    widen(k, base, back, power);
    k.x.vaddpd(baseTotal, baseTotal, base);
    k.x.vaddpd(baseTotal, baseTotal, back);
    addWeighted(k, cross, base, low);
    addWeighted(k, cross, back, high);
    k.free(own, base, low, high, back);
  });
  for (const sum of [baseTotal, excess, cross]) acrossLanes(k, sum, 'vaddpd');
  return { baseTotal, excess, cross };
}

/** Largest logits, to where `compare` expects them, and kept: those of x, those of b. */
function largestOfBoth(k: KernelBuilder, x: Gpr, b: Gpr): readonly [Vec, Vec] {
  const [most, baseMost] = [largest(k, x), largest(k, b)];
  k.x.vmovss_store(MOST, xmm(most));
  k.x.vmovss_store(BASE_MOST, xmm(baseMost));
  const [shift, other] = [k.registers.xmm('shift'), k.registers.xmm('other')];
  k.x.vcvtss2sd(shift, shift, xmm(most));
  k.x.vcvtss2sd(other, other, xmm(baseMost));
  k.x.vsubsd(shift, shift, other);
  k.x.vmovsd_store(SHIFT, shift);
  k.free(shift, other);
  return [most, baseMost];
}

/** e^-nll to memory: e of its f32, and of what rounding took, which is small. Destroys nll. */
function storeProbability(k: KernelBuilder, out: Gpr, place: number, nll: Scalar): void {
  const [power, rest] = k.vecs('power', 2);
  const [single, less] = [xmm(power), xmm(rest)];
  // No probability is left of 1000 nats, and an infinite number has no rest. A NaN, as second operand, stays.
  k.x.vmovsd(less, f64(k, 1000));
  k.x.vminsd(nll, less, nll);
  k.x.vcvtsd2ss(single, nll, nll);
  k.x.vcvtss2sd(less, less, single);
  k.x.vsubsd(less, less, nll);
  k.x.vcvtsd2ss(less, less, less);
  k.x.vbroadcastss(power, single);
  k.x.vxorps(power, power, k.i32(-0x80000000));
  exp(k, power);
  k.x.vfmadd213ss(less, single, single);
  k.x.vmovss_store(mem(out, place), less);
  k.free(power, rest);
}

/** The figures that the sums yield, to the output; gives the sums' registers back. */
function storeFigures(
  k: KernelBuilder,
  sums: Comparison,
  target: Gpr,
  out: Gpr,
  rows: readonly (readonly [Gpr, Vec])[],
): void {
  const [baseTotal, ratio, divergence] = [sums.baseTotal, sums.excess, sums.cross].map(xmm);
  k.x.vdivsd(ratio, ratio, baseTotal);
  log1p(k, ratio);
  k.x.vdivsd(divergence, divergence, baseTotal);
  k.x.vaddsd(divergence, divergence, ratio);
  storeNumber(k, out, 8, divergence);
  log(k, baseTotal);
  k.x.vaddsd(ratio, ratio, baseTotal);
  for (const [i, nll] of [ratio, baseTotal].entries()) {
    const [row, most] = rows[i];
    nllOf(k, nll, row, target, most);
    storeNumber(k, out, 4 * i, nll);
    storeProbability(k, out, 16 + 4 * i, nll);
  }
  k.free(sums.baseTotal, sums.excess, sums.cross);
}

/** 1 if both rows have their largest logit at the same id, else 0. */
function storeSameTop(k: KernelBuilder, out: Gpr, rows: readonly (readonly [Gpr, Vec])[]): void {
  const [own, base] = rows.map(([row, most]) => firstAt(k, row, most));
  k.x.cmp(own, base);
  k.x.mov(own, 0);
  k.x.set('e', own);
  const same = k.registers.xmm('same');
  k.x.vcvtsi2sd(same, same, own);
  storeNumber(k, out, 12, same);
  k.free(own, base, same);
}

/**
 * out[s] = nll, base nll, divergence of the base's distribution from ours (nats), 1 if both have their largest logit
 * at the same id, probability of the target, base probability; logits and base [rows, cols].
 */
const divergence = defineKernel({
  name: 'divergence',
  args: [
    'logits',
    'logitsStride',
    'base',
    'baseStride',
    'targets',
    'targetsStride',
    'out',
    'outStride',
    'rows',
    'cols',
  ],
  emit: (k) => {
    spare(k);
    eachRow(k, ['logits', 'base', 'targets', 'out'], ([x, b, target, out], next) => {
      k.x.load32(target, mem(target));
      checkIndexArg(k, target, 'cols', next);
      const [most, baseMost] = largestOfBoth(k, x, b);
      const rows = [
        [x, most],
        [b, baseMost],
      ] as const;
      storeFigures(k, compare(k, x, b), target, out, rows);
      storeSameTop(k, out, rows);
      k.free(most, baseMost);
    });
  },
});

export const LIKELIHOOD_KERNELS: readonly KernelSource[] = [loss, divergence];
