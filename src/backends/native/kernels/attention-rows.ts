/** The way of a piece's rows into scratch and out of it again. */
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, mem, memAt, type Vec, xmm } from '../x64/index.ts';
import { acrossLanes, eachColumn, eachVector, f32At } from './attention-lanes.ts';
import type { Frame } from './frame.ts';

/**
 * Emits a loop over the piece's rows as they lie in queries or output. The body gets the address of the row's head and
 * its position.
 */
function eachRow(
  k: KernelBuilder,
  f: Frame,
  base: string,
  stride: string,
  body: (row: Gpr, position: Gpr) => void,
): void {
  k.scope(() => {
    const count = f.load('m');
    const at = k.gpr('at');
    const member = f.load('firstMember');
    const position = k.gpr('position');
    k.scope(() => {
      const column = f.compute('head', ['*', 'group'], ['+', member], ['*', 'sizeBytes']);
      const row = f.compute('firstToken', ['*', stride], ['+', base]);
      k.x.lea(at, memAt(row, column));
      k.x.mov(position, f.compute('firstToken', ['+', 'past']));
    });
    k.countdown(
      count,
      () => {
        body(at, position);
        k.x.add(at, f.at('sizeBytes'));
        k.x.add(member, 1);
        k.x.cmp(member, f.at('group'));
        k.when('e', () => {
          k.clear(member);
          k.x.add(position, 1);
          k.x.add(at, f.at(stride));
          k.scope(() => {
            const back = f.compute('group', ['*', 'sizeBytes']);
            k.x.sub(at, back);
          });
        });
      },
      true,
    );
  });
}

/** The queries times `scale` to `queries`, `row` bytes each, and the positions of their rows to `positions`. */
export function gatherRows(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [to, positions, size] = ['queries', 'positions', 'size'].map((name) => f.load(name));
    const [scale, value] = [k.vec('scale'), k.vec('value')];
    k.x.vbroadcastss(scale, f.at('scale'));
    eachRow(k, f, 'spanQueries', 'qStride', (row, position) => {
      const many = (at: Gpr): void => {
        k.x.vmulps(value, scale, f32At(row, at));
        k.x.vmovups_store(f32At(to, at), value);
      };
      const one = (at: Gpr): void => {
        k.x.vmulss(xmm(value), xmm(scale), f32At(row, at));
        k.x.vmovss_store(f32At(to, at), xmm(value));
      };
      eachColumn(k, size, many, one);
      k.x.store32(mem(positions), position);
      k.x.add(positions, 4);
      k.x.add(to, f.at('row'));
    });
  });
}

/** The sums of the records from variable `records` on, divided by the sums of their weights, to the output. */
export function scatterRows(k: KernelBuilder, f: Frame, records: string): void {
  k.scope(() => {
    const [record, size] = [f.load(records), f.load('size')];
    const [total, value] = [k.vec('total'), k.vec('value')];
    eachRow(k, f, 'spanOut', 'outStride', (row) => {
      sumOfWeights(k, f, record, total);
      k.scope(() => {
        eachVector(k, f.load('row'), (offset) => {
          k.x.vmovups(value, memAt(record, offset));
          k.x.vdivps(value, value, total);
          k.x.vmovups_store(memAt(record, offset), value);
        });
      });
      const many = (at: Gpr): void => {
        k.x.vmovups(value, f32At(record, at));
        k.x.vmovups_store(f32At(row, at), value);
      };
      const one = (at: Gpr): void => {
        k.x.vmovss(xmm(value), f32At(record, at));
        k.x.vmovss_store(f32At(row, at), xmm(value));
      };
      eachColumn(k, size, many, one);
      k.x.add(record, f.at('record'));
    });
  });
}

/** The sum of all weights of a record in every lane. */
function sumOfWeights(k: KernelBuilder, f: Frame, record: Gpr, total: Vec): void {
  k.scope(() => {
    const at = f.load('row');
    k.x.add(at, record);
    k.x.vmovups(total, mem(at));
    if (!k.level.avx512) k.x.vaddps(total, total, mem(at, 32));
    acrossLanes(k, total, 'vaddps');
  });
}
