/**
 * Products of one token with quantized weights, which live from the bandwidth of memory: every weight is read once, taken
 * apart in registers and multiplied at once. A thread claims a long stretch of rows and reads it from its first byte to
 * its last, as the prefetchers of CPUs want it.
 * Within a group of 256 (or a block of 32) sums are exact integers; groups are added in
 * f32, in the order of columns, so the result does not depend on threads or claims.
 */
import { defineKernel, type KernelBuilder, type KernelSource } from '../kernel.ts';
import type { Unpack } from '../unpack/index.ts';
import { type Gpr, type Label, mem, memAt, rax, rdx, rsp, type Vec, xmm, ymm } from '../x64/index.ts';
import { type CopiedOperands, copiedOperands, dotGroup } from './single-dot.ts';
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
/** Bytes that prefetches run ahead: a tenth more on one thread of a Zen 4, nothing on two, which fill the memory's bandwidth. */
const AHEAD = 2048;
const LINE = 64;
/**
 * Below the stack pointer, since unpackers need the registers: rows of a claim, address of the counter, rows left of the
 * claim, address of the next result.
 */
const [FEW_AT, COUNTER_AT, LEFT_AT, Y_AT] = [-8, -16, -24, -32].map((at) => mem(rsp, at));

/** y[n] = sum over k of x[k] w[n, k] for one token with activations of one or two planes. */
export function singleKernel(unpack: Unpack, planes: 1 | 2): KernelSource<SingleArg> {
  return defineKernel({
    name: `single_${unpack.format.toLowerCase()}_${planes}`,
    args: SINGLE_ARGS,
    emit: (k: KernelBuilder<SingleArg>) => {
      k.registers.reserve(rax, 'quotient');
      const copy = copiedOperands(k, unpack, planes);
      k.free(rax);
      rowsToClaim(k); // destroys rdx, the address of the scratch
      k.x.store64(COUNTER_AT, k.counter);
      k.free(k.thread, k.threads, k.scratch, k.counter);
      const group = groupOf(k, unpack, planes, copy);
      const weights = k.gpr('weights');
      const out = k.label();
      const next = k.here();
      k.scope(() => claim(k, unpack, weights, out));
      const row = k.here();
      oneRow(k, unpack, planes, group, weights);
      k.x.sub(LEFT_AT, 1);
      k.j('ne', row);
      k.jmp(next);
      k.bind(out);
    },
  });
}

function groupOf(
  k: KernelBuilder<SingleArg>,
  unpack: Unpack,
  planes: 1 | 2,
  copy: CopiedOperands | undefined,
): Group {
  if (unpack.dot && copy) return dotGroup(k, unpack.dot, copy);
  const kept = unpack.setup(k);
  return unpack.block === 256 ? wideGroup(k, unpack, kept, planes) : narrowGroup(k, unpack, kept, planes);
}

/** Writes the rows of a claim, max(16, rows / (8 threads) as a multiple of 16), to FEW_AT. */
function rowsToClaim(k: KernelBuilder<SingleArg>): void {
  k.scope(() => {
    k.registers.reserve(rax, 'quotient');
    const divisor = k.gpr('divisor');
    k.x.vcvttsd2si(rax, k.arg('rows'));
    k.x.imul(divisor, k.threads, CLAIMS);
    k.clear(rdx);
    k.x.div(divisor);
    k.x.and(rax, -LEAST_ROWS);
    k.x.mov(divisor, LEAST_ROWS);
    k.x.cmp(rax, divisor);
    k.x.cmov('l', rax, divisor);
    k.x.store64(FEW_AT, rax);
  });
}

/** Claims rows: `weights` = address of the first one, LEFT_AT their number, Y_AT where their results go. */
function claim(k: KernelBuilder<SingleArg>, { block, blockBytes }: Unpack, weights: Gpr, out: Label): void {
  const [first, left, y] = ['first', 'left', 'y'].map((name) => k.gpr(name));
  k.x.mov(left, COUNTER_AT);
  k.x.mov(first, 1);
  k.x.lockXadd32(mem(left), first);
  k.x.load32s(first, first);
  k.x.imul(first, FEW_AT);
  k.x.vcvttsd2si(left, k.arg('rows'));
  k.x.sub(left, first);
  k.x.cmp(left, 0);
  k.j('le', out);
  k.x.cmp(left, FEW_AT);
  k.x.cmov('g', left, FEW_AT);
  k.x.store64(LEFT_AT, left);
  k.x.vcvttsd2si(y, k.arg('y'));
  k.x.lea(y, memAt(y, first, 4));
  k.x.store64(Y_AT, y);
  k.x.vcvttsd2si(weights, k.arg('cols'));
  k.x.shr(weights, Math.log2(block));
  k.x.imul(weights, weights, blockBytes);
  k.x.imul(first, weights);
  k.x.vcvttsd2si(weights, k.arg('weights'));
  k.x.add(weights, first);
}

function oneRow(
  k: KernelBuilder<SingleArg>,
  { block, blockBytes }: Unpack,
  planes: 1 | 2,
  group: Group,
  weights: Gpr,
): void {
  k.scope(() => {
    const blocks = k.gpr('blocks');
    if (group.begin) group.begin();
    else firstOperands(k, group, planes, blocks);
    k.x.vcvttsd2si(blocks, k.arg('cols'));
    k.x.shr(blocks, Math.log2(block));
    k.zero(...group.accumulators);
    const step = (count: number): void => {
      const bytes = count * blockBytes;
      for (let at = 0; at < bytes; at += LINE) k.x.prefetcht0(mem(weights, AHEAD + at));
      for (let n = 0; n < count; n++) k.scope(() => group.emit(weights, n));
      k.x.add(weights, bytes);
      k.x.add(group.codes, count * block);
      if (group.sums !== group.codes) k.x.add(group.sums, (count * block) / 8);
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
    k.x.mov(blocks, Y_AT);
    k.x.vmovss_store(mem(blocks), xmm(total(k, group)));
    k.x.add(Y_AT, 4);
  });
}

/** The begin of the token's activations; scales are the last plane's. */
function firstOperands(k: KernelBuilder<SingleArg>, group: Group, planes: 1 | 2, spare: Gpr): void {
  for (const name of ['codes', 'sums', 'scales'] as const) k.x.vcvttsd2si(group[name], k.arg(name));
  if (planes === 1) return;
  k.x.vcvttsd2si(spare, k.arg('scalePlane'));
  k.x.add(group.scales, spare);
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
    if (k.level.avx512) k.x.vextracti32x4(high, ymm(first), 1);
    else k.x.vextractf128(high, ymm(first), 1);
    k.x.vaddps(low, low, high);
    k.x.vpermilps(high, low, 0b01_00_11_10);
    k.x.vaddps(low, low, high);
    k.x.vmovshdup(high, low);
    k.x.vaddss(low, low, high);
  });
  return first;
}
