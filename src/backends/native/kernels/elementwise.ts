/** Element-wise kernels: sums, bias, gated activation, copies of rows. */
import { defineKernel, type KernelBuilder, type KernelSource } from '../kernel.ts';
import { mem, type Vec } from '../x64/index.ts';
import { eachColumns } from './columns.ts';
import { exp } from './exp.ts';
import { checkIndexArg, eachPiece, eachRow, rowAddress, spare } from './work.ts';

/** out = combine(a, b) by lanes; `combine` leaves the result in a. */
function elementwise(
  k: KernelBuilder,
  [a, b]: readonly [string, string],
  unroll: number,
  combine: (a: Vec, b: Vec) => void,
): void {
  spare(k);
  eachPiece(k, [a, b, 'out'], ([left, right, out], from, count) => {
    const [value, other] = k.vecs('value', 2);
    const body: Parameters<typeof eachColumns>[3] = (parts) => {
      for (const part of parts) {
        part.load(value, left);
        part.load(other, right);
        combine(value, other);
        part.store(out, value);
      }
    };
    eachColumns(k, from, count, body, { unroll });
    k.free(value, other);
  });
}

/** out = a + b, all [rows, cols]; a bias is a matrix whose rows are 0 bytes apart. */
const add = defineKernel({
  name: 'add',
  args: ['a', 'aStride', 'b', 'bStride', 'out', 'outStride', 'rows', 'cols'],
  emit: (k) => elementwise(k, ['a', 'b'], 4, (a, b) => k.x.vaddps(a, a, b)),
});

/** out = gate / (1 + e^-gate) * up, all [rows, cols]. */
const swiglu = defineKernel({
  name: 'swiglu',
  args: ['gate', 'gateStride', 'up', 'upStride', 'out', 'outStride', 'rows', 'cols'],
  emit: (k) =>
    elementwise(k, ['gate', 'up'], 2, (gate, up) => {
      const power = k.vec('power');
      k.x.vxorps(power, gate, k.i32(-0x80000000));
      exp(k, power);
      k.x.vaddps(power, power, k.f32(1));
      k.x.vdivps(gate, gate, power);
      k.x.vmulps(gate, gate, up);
      k.free(power);
    }),
});

/** out[s] = x[select[s]], each `bytes` long, a multiple of 4. A row that is not below `limit` is reported and left out. */
const rows = defineKernel({
  name: 'rows',
  args: ['x', 'xStride', 'select', 'selectStride', 'out', 'outStride', 'count', 'bytes', 'limit'],
  emit: (k) => {
    spare(k);
    eachRow(
      k,
      ['select', 'out'],
      ([select, out], next) => {
        k.x.load32(select, mem(select));
        checkIndexArg(k, select, 'limit', next);
        const [source, at] = [k.gpr('source'), k.gpr('at')];
        rowAddress(k, source, 'x', select);
        k.clear(at);
        const count = k.int('bytes');
        k.x.shr(count, 2);
        const value = k.vec('value');
        eachColumns(k, at, count, ([part]) => {
          part.load(value, source);
          part.store(out, value);
        });
        k.free(source, at, count, value);
      },
      'count',
    );
  },
});

export const ELEMENTWISE_KERNELS: readonly KernelSource[] = [add, swiglu, rows];
