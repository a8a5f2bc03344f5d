/** Rotary position embedding: pairs of columns of each head turn by the angle of their position. */
import { defineKernel, type KernelBuilder, type KernelSource } from '../kernel.ts';
import { type Gpr, type Memory, memAt, type Vec } from '../x64/index.ts';
import { type Columns, eachColumns, lowerHalf } from './columns.ts';
import { eachPiece, spare } from './work.ts';

/** Heads that a thread turns at a time. */
const HEADS = 8;

/** Addresses of a head and of the angles of its row. */
interface Places {
  readonly x: Gpr;
  readonly out: Gpr;
  readonly cos: Gpr;
  readonly sin: Gpr;
}

/** Turns the pairs (x[i], x[i + half]), i < half. */
function turnHalves(k: KernelBuilder, { x, out, cos, sin }: Places): void {
  const [x2, out2, at] = [k.gpr('x2'), k.gpr('out2'), k.gpr('at')];
  const half = k.int('half');
  k.x.lea(x2, memAt(x, half, 4));
  k.x.lea(out2, memAt(out, half, 4));
  k.clear(at);
  const [a, b, c, s, turned] = k.vecs('turn', 5);
  eachColumns(k, at, half, ([part]) => {
    part.load(a, x);
    part.load(b, x2);
    part.load(c, cos);
    part.load(s, sin);
    k.x.vmulps(turned, b, s);
    k.x.vmulps(b, b, c);
    k.x.vfmadd231ps(b, a, s);
    k.x.vfmsub213ps(a, c, turned);
    part.store(out, a);
    part.store(out2, b);
  });
  k.free(x2, out2, at, half, a, b, c, s, turned);
}

/** -0 in even lanes, 0 in odd ones. */
function evenSigns(k: KernelBuilder): Memory {
  return k.constant(
    new Uint8Array(Float32Array.from({ length: k.lanes }, (_, i) => (i % 2 ? 0 : -0)).buffer),
  );
}

/** Reads an angle a pair and leaves it in both lanes of its pair. */
function loadTwice(k: KernelBuilder, part: Columns, target: Vec, base: Gpr): void {
  part.load(lowerHalf(k, target), base);
  k.x.vpmovzxdq(target, lowerHalf(k, target));
  k.x.vmovsldup(target, target);
}

/** Turns the pairs (x[2i], x[2i + 1]), i < half: a column of the loop is a pair of 8 bytes. */
function turnNeighbours(k: KernelBuilder, { x, out, cos, sin }: Places): void {
  const at = k.gpr('at');
  const half = k.int('half');
  k.clear(at);
  const [a, b, c, s] = k.vecs('turn', 4);
  const body: Parameters<typeof eachColumns>[3] = ([part]) => {
    part.load(a, x, 8);
    loadTwice(k, part, c, cos);
    loadTwice(k, part, s, sin);
    k.x.vpermilps(b, a, 0b10110001);
    k.x.vxorps(s, s, evenSigns(k));
    k.x.vmulps(b, b, s);
    k.x.vfmadd213ps(a, c, b);
    part.store(out, a, 8);
  };
  eachColumns(k, at, half, body, { lanes: k.lanes / 2 });
  k.free(at, half, a, b, c, s);
}

/** Copies the columns of a head that do not turn. */
function copyRest(k: KernelBuilder, { x, out }: Places): void {
  const at = k.int('half');
  k.x.shl(at, 1);
  const count = k.int('size');
  k.x.sub(count, at);
  const value = k.vec('value');
  eachColumns(k, at, count, ([part]) => {
    part.load(value, x);
    part.store(out, value);
  });
  k.free(at, count, value);
}

/**
 * x and out [rows, heads * size], cos and sin [rows, half]; columns from `2 * half` of each head are copied.
 * `neox` 1: column i pairs with i + half; 0: column 2i with 2i + 1. out may be x.
 */
const rope = defineKernel({
  name: 'rope',
  args: [
    'x',
    'xStride',
    'cos',
    'cosStride',
    'sin',
    'sinStride',
    'out',
    'outStride',
    'rows',
    'heads',
    'size',
    'half',
    'neox',
  ],
  emit: (k) => {
    spare(k);
    eachPiece(
      k,
      ['x', 'cos', 'sin', 'out'],
      ([x, cos, sin, out], head, count) => {
        const skipped = k.int('size');
        k.x.shl(skipped, 2);
        k.x.imul(head, skipped);
        k.x.add(x, head);
        k.x.add(out, head);
        k.free(skipped);
        k.countdown(count, () => {
          const places = { x, out, cos, sin };
          const style = k.int('neox');
          k.x.test(style, style);
          k.free(style);
          k.when(
            'ne',
            () => turnHalves(k, places),
            () => turnNeighbours(k, places),
          );
          copyRest(k, places);
          const size = k.int('size');
          k.x.lea(x, memAt(x, size, 4));
          k.x.lea(out, memAt(out, size, 4));
          k.free(size);
        });
      },
      { columns: 'heads', size: HEADS },
    );
  },
});

export const ROPE_KERNELS: readonly KernelSource[] = [rope];
