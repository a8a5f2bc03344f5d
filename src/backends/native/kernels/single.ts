/**
 * Products of one token with quantized weights, which live from the bandwidth of memory: every weight is read once, taken
 * apart in registers and multiplied at once. A thread claims a long stretch of rows and reads it from its first byte to
 * its last, as prefetchers want it. Within a group of 256 (or a block of 32) sums are exact integers; groups are added in
 * f32, in the order of columns, so the result does not depend on threads or claims.
 */
import { defineKernel, type KernelBuilder, type KernelSource } from '../kernel.ts';
import type { Unpack } from '../unpack/index.ts';
import { type Gpr, mem, rax, rdx, type Vec, xmm, ymm } from '../x64/index.ts';
import { type Group, narrowGroup, wideGroup } from './single-group.ts';

/**
 * `weights`: rows of whole blocks without gaps. `codes`, `sums`, `scales`: the token's, of the first plane
 * (activations.ts); `codePlane`, `sumPlane`, `scalePlane`: bytes from there to the second plane's.
 */
export const SINGLE_ARGS = [
  'weights',
  'rows',
  'cols',
  'codes',
  'sums',
  'scales',
  'codePlane',
  'sumPlane',
  'scalePlane',
  'y',
] as const;
export type SingleArg = (typeof SINGLE_ARGS)[number];

/** Claims that a thread makes of its rows: enough that no thread waits long for another. */
const CLAIMS = 8;
/** Rows claimed at least: two threads never write into one cache line. */
const LEAST_ROWS = 16;
/** Bytes that prefetches run ahead: tried from 256 bytes to 4 KiB. */
const AHEAD = 2048;
const LINE = 64;

/** y[n] = sum over k of x[k] w[n, k] for one token with activations of one or two planes. */
export function singleKernel(unpack: Unpack, planes: 1 | 2): KernelSource<SingleArg> {
  return defineKernel({
    name: `single_${unpack.format.toLowerCase()}_${planes}`,
    args: SINGLE_ARGS,
    emit: (k: KernelBuilder<SingleArg>) => {
      const few = rowsToClaim(k);
      k.free(k.thread, k.threads, k.scratch);
      const kept = unpack.setup(k);
      const group =
        unpack.block === 256 ? wideGroup(k, unpack, kept, planes) : narrowGroup(k, unpack, kept, planes);
      const [weights, y, left, end] = ['weights', 'y', 'left', 'end'].map((name) => k.gpr(name));
      const out = k.label();
      const next = k.here();
      k.claim(left);
      k.x.imul(left, few);
      k.x.vcvttsd2si(end, k.arg('rows'));
      k.x.sub(end, left);
      k.x.cmp(end, 0);
      k.j('le', out);
      k.x.cmp(end, few);
      k.x.cmov('g', end, few);
      k.x.vcvttsd2si(y, k.arg('y'));
      k.x.lea(y, { ...mem(y), index: left, scale: 4 });
      stretchAt(k, unpack, weights, left);
      k.countdown(end, () => oneRow(k, unpack, group, weights, y), true);
      k.jmp(next);
      k.bind(out);
    },
  });
}

/** Rows of a claim: max(16, rows / (8 threads) as a multiple of 16). */
function rowsToClaim(k: KernelBuilder<SingleArg>): Gpr {
  const few = k.gpr('few');
  if (few !== rax) throw new Error(`the quotient must be in rax, not ${few}`);
  k.scope(() => {
    const divisor = k.gpr('divisor');
    const least = k.gpr('least');
    k.x.vcvttsd2si(rax, k.arg('rows'));
    k.x.imul(divisor, k.threads, CLAIMS);
    k.clear(rdx);
    k.x.div(divisor);
    k.x.and(few, -LEAST_ROWS);
    k.x.mov(least, LEAST_ROWS);
    k.x.cmp(few, least);
    k.x.cmov('l', few, least);
  });
  return few;
}

/** `weights` = address of row `row`, which is destroyed. */
function stretchAt(k: KernelBuilder<SingleArg>, { block, blockBytes }: Unpack, weights: Gpr, row: Gpr): void {
  k.x.vcvttsd2si(weights, k.arg('cols'));
  k.x.shr(weights, Math.log2(block));
  k.x.imul(weights, weights, blockBytes);
  k.x.imul(row, weights);
  k.x.vcvttsd2si(weights, k.arg('weights'));
  k.x.add(weights, row);
}

function oneRow(
  k: KernelBuilder<SingleArg>,
  { block, blockBytes }: Unpack,
  group: Group,
  weights: Gpr,
  y: Gpr,
): void {
  k.scope(() => {
    const blocks = k.gpr('blocks');
    for (const name of ['codes', 'sums', 'scales'] as const) k.x.vcvttsd2si(group[name], k.arg(name));
    k.x.vcvttsd2si(blocks, k.arg('cols'));
    k.x.shr(blocks, Math.log2(block));
    k.zero(...group.accumulators);
    const step = (count: number): void => {
      const bytes = count * blockBytes;
      for (let at = 0; at < bytes; at += LINE) k.x.prefetcht0(mem(weights, AHEAD + at));
      for (let n = 0; n < count; n++) k.scope(() => group.emit(weights, n));
      k.x.add(weights, bytes);
      k.x.add(group.codes, count * block);
      k.x.add(group.sums, (count * block) / 8);
      k.x.add(group.scales, 4 * count);
    };
    if (group.unroll > 1) {
      k.x.sub(blocks, group.unroll);
      k.while(blocks, 'ge', 0, () => {
        step(group.unroll);
        k.x.sub(blocks, group.unroll);
      });
      k.x.add(blocks, group.unroll);
    }
    k.while(blocks, 'g', 0, () => {
      step(1);
      k.x.sub(blocks, 1);
    });
    k.x.vmovss_store(mem(y), xmm(total(k, group)));
    k.x.add(y, 4);
  });
}

/** The sum of all accumulators' lanes, in lane 0. */
function total(k: KernelBuilder, { accumulators, mins }: Group): Vec {
  const [first, ...others] = accumulators;
  for (const other of others) {
    if (other !== mins) k.x.vaddps(first, first, other);
  }
  k.scope(() => {
    const half = k.registers.ymm('half');
    if (first.bytes === 64) {
      k.x.vextractf64x4(half, first, 1);
      k.x.vaddps(ymm(first), ymm(first), half);
    }
    if (mins) k.x.vsubps(ymm(first), ymm(first), ymm(mins));
    const [low, high] = [xmm(first), xmm(half)];
    if (ymm(first).code > 15) k.x.vextracti32x4(high, ymm(first), 1);
    else k.x.vextractf128(high, ymm(first), 1);
    k.x.vaddps(low, low, high);
    k.x.vpermilps(high, low, 0b01_00_11_10);
    k.x.vaddps(low, low, high);
    k.x.vmovshdup(high, low);
    k.x.vaddss(low, low, high);
  });
  return first;
}
