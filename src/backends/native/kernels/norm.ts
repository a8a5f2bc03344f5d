/** Root-mean-square norm of rows. */
import { defineKernel, type KernelBuilder, type KernelSource } from '../kernel.ts';
import { type Gpr, type Vec, xmm } from '../x64/index.ts';
import { eachColumns, lowerHalf } from './columns.ts';
import { acrossLanes } from './lanes.ts';
import { eachRow, spare } from './work.ts';

/** Vectors of f64 sums side by side: additions take 4 cycles and more. */
const SUMS = 4;

/** Sum of squares of `cols` f32 of the row, in f64, in lane 0 of the result. */
function squareSum(k: KernelBuilder, x: Gpr): Vec {
  const sums = k.vecs('sum', SUMS);
  k.zero(...sums);
  const at = k.gpr('at');
  k.clear(at);
  const count = k.int('cols');
  eachColumns(
    k,
    at,
    count,
    (parts) => {
      parts.forEach((part, i) => {
        const value = k.vec('value');
        part.load(lowerHalf(k, value), x);
        k.x.vcvtps2pd(value, lowerHalf(k, value));
        k.x.vfmadd231pd(sums[i], value, value);
        k.free(value);
      });
    },
    { unroll: SUMS, lanes: k.lanes / 2 },
  );
  const [sum, ...others] = sums;
  for (const other of others) k.x.vaddpd(sum, sum, other);
  acrossLanes(k, sum, 'vaddpd');
  k.free(at, count, ...others);
  return sum;
}

/** 1 / sqrt(sum / cols + epsilon) as f32 in all lanes of `sum`. */
function factorOf(k: KernelBuilder, sum: Vec): void {
  const [low, one] = [xmm(sum), k.vec('one')];
  k.x.vdivsd(low, low, k.arg('cols'));
  k.x.vaddsd(low, low, k.arg('epsilon'));
  k.x.vsqrtsd(low, low, low);
  k.x.vmovsd(xmm(one), k.constant(new Uint8Array(Float64Array.of(1).buffer)));
  k.x.vdivsd(low, xmm(one), low);
  k.x.vcvtsd2ss(low, low, low);
  k.x.vbroadcastss(sum, low);
  k.free(one);
}

/** out = x / sqrt(mean(x^2) + epsilon) * weight; x and out [rows, cols], weight f32 [cols]. */
export const rmsNorm = defineKernel({
  name: 'rms_norm',
  args: ['x', 'xStride', 'weight', 'out', 'outStride', 'rows', 'cols', 'epsilon'],
  emit: (k) => {
    spare(k);
    eachRow(k, ['x', 'out'], ([x, out]) => {
      const factor = squareSum(k, x);
      factorOf(k, factor);
      const at = k.gpr('at');
      k.clear(at);
      const { weight, cols } = k.ints('weight', 'cols');
      const [value, gain] = k.vecs('value', 2);
      eachColumns(
        k,
        at,
        cols,
        (parts) => {
          for (const part of parts) {
            part.load(value, x);
            part.load(gain, weight);
            k.x.vmulps(value, value, factor);
            k.x.vmulps(value, value, gain);
            part.store(out, value);
          }
        },
        { unroll: 4 },
      );
      k.free(at, weight, cols, value, gain, factor);
    });
  },
});

export const NORM_KERNELS: readonly KernelSource[] = [rmsNorm];
