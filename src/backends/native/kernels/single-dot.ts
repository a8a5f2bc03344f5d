/**
 * Groups of 256 for formats with a product of their own (`BlockDot`). It wants the activations in another order, with sums
 * of eight beside them: each thread makes a copy in its scratch before its first row. A record of the copy is one group:
 * 256 codes, and 64 bytes of sums if the format takes them; the second plane's records follow the first one's.
 */
import type { KernelBuilder } from '../kernel.ts';
import type { BlockDot, Unpack } from '../unpack/unpack.ts';
import { type Gpr, mem, memAt, type Register, rsp, xmm, zmm } from '../x64/index.ts';
import type { SingleArg } from './single.ts';
import type { Group } from './single-group.ts';

type Builder = KernelBuilder<SingleArg>;

const GROUP = 256;
/** 32 i16. */
const SUMS = 64;

const recordBytes = ({ sums }: BlockDot): number => GROUP + (sums ? SUMS : 0);

/** Bytes of scratch that a thread needs at any level. */
export function singleScratch({ dot }: Unpack, planes: 1 | 2, cols: number): number {
  return dot ? (planes * cols * recordBytes(dot)) / GROUP : 0;
}

/** Where a row finds the address of the copy: below the stack pointer, since registers are scarce. */
const COPY_AT = mem(rsp, -8);

/** Bytes from a plane of the copy to the next one. */
export interface CopiedOperands {
  readonly plane: Gpr | undefined;
}

/** Emits the copy; nothing where the format or the level has no product of its own. */
export function copiedOperands(k: Builder, { dot }: Unpack, planes: 1 | 2): CopiedOperands | undefined {
  if (!dot || !k.level.vbmi) return undefined;
  k.x.store64(COPY_AT, k.scratch);
  if (planes === 1) {
    copyPlane(k, dot, undefined);
    return { plane: undefined };
  }
  const plane = k.int('cols');
  k.x.shr(plane, Math.log2(GROUP));
  k.x.imul(plane, plane, recordBytes(dot));
  copyPlane(k, dot, undefined);
  copyPlane(k, dot, plane);
  return { plane };
}

function copyPlane(k: Builder, dot: BlockDot, plane: Gpr | undefined): void {
  k.scope(() => {
    const [from, to, count, eight] = ['from', 'to', 'count', 'eight'].map((name) => k.gpr(name));
    k.x.vcvttsd2si(from, k.arg('codes'));
    k.x.mov(to, k.scratch);
    if (plane) {
      k.x.vcvttsd2si(count, k.arg('codePlane'));
      k.x.add(from, count);
      k.x.add(to, plane);
    }
    k.x.vcvttsd2si(count, k.arg('cols'));
    k.x.shr(count, Math.log2(GROUP));
    k.countdown(count, () => {
      for (let at = 0; at < GROUP; at += 8) {
        k.x.mov(eight, mem(from, at));
        k.x.store64(mem(to, 64 * ((at >> 3) & 3) + 8 * (at >> 5)), eight);
      }
      if (dot.sums) sumsOfEight(k, from, to);
      k.x.add(from, GROUP);
      k.x.add(to, recordBytes(dot));
    });
  });
}

/** Sums of every eight of 256 codes, behind them in the record. */
function sumsOfEight(k: Builder, from: Gpr, to: Gpr): void {
  k.scope(() => {
    const sums = k.registers.ymm('sums');
    const ones = k.registers.ymm('ones');
    k.x.vmovdqu(ones, k.u8(1));
    for (let at = 0; at < GROUP; at += 32) {
      k.x.vpmaddubsw(sums, ones, mem(from, at));
      k.x.vphaddw(sums, sums, sums);
      k.x.vphaddw(sums, sums, sums);
      k.x.vmovd_store(mem(to, GROUP + at / 4), xmm(sums));
      k.x.vextracti128(xmm(sums), sums, 1);
      k.x.vmovd_store(mem(to, GROUP + at / 4 + 4), xmm(sums));
    }
  });
}

/** A block at a time. */
export function dotGroup(k: Builder, dot: BlockDot, { plane }: CopiedOperands): Group {
  const codes = k.gpr('codes');
  const scales = k.gpr('scales'); // of the last plane
  const accumulator = k.registers.zmm('sum');
  const kept = dot.setup(k);
  const at = (n: number, disp: number) => (n && plane ? memAt(codes, plane, 1, disp) : mem(codes, disp));
  return {
    codes,
    sums: codes,
    scales,
    begin: () => {
      k.x.vcvttsd2si(scales, k.arg('scales'));
      if (plane) {
        k.x.vcvttsd2si(codes, k.arg('scalePlane'));
        k.x.add(scales, codes);
      }
      k.x.mov(codes, COPY_AT);
    },
    accumulators: [accumulator],
    mins: undefined,
    unroll: 1,
    emit: (weights) => {
      const totals = (plane ? [0, 1] : [0]).map((n) => k.registers.zmm(`totals ${n}`));
      const operands = {
        planes: plane ? 2 : 1,
        codes: (n: number, chunk: number) => at(n, 64 * chunk),
        sums: (n: number) => at(n, GROUP),
      } as const;
      dot.emit(k, weights, operands, totals, kept);
      const value = inLastUnits(k, totals);
      const d = dot.d(k, weights);
      k.x.vmulss(d, d, mem(scales));
      k.x.vbroadcastss(zmm(d), d);
      k.x.vfmadd231ps(accumulator, zmm(d), value);
      if (dot.sums) k.x.add(codes, SUMS); // the loop adds the rest
    },
  };
}

/** The totals as f32, in units of the last plane's scale: the first one's is 128 times as large. */
function inLastUnits(k: Builder, totals: readonly Register<'zmm'>[]): Register<'zmm'> {
  for (const total of totals) k.x.vcvtdq2ps(total, total);
  const [first, second] = totals;
  if (!second) return first;
  k.x.vfmadd231ps(second, first, k.f32(128));
  return second;
}
