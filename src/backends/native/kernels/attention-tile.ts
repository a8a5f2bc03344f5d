/** Tiles of keys and values: rows of a cache of any type to f32. */
import { CACHE_F16, CACHE_F32, Q8_BLOCK, Q8_BYTES } from '../../wasm/kernels/cache-types.as.ts';
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, low32, mem, memAt, plus, xmm } from '../x64/index.ts';
import { eachColumn, f32At } from './attention-lanes.ts';
import type { Frame } from './frame.ts';

/** Columns that never lie in two blocks of q8_0, where heads begin and end at multiples of it. */
const GROUP = 16;

/**
 * Emits a subroutine: rows of a cache from variable `source` on, `sourceBytes` apart, of cache type `sourceType`, their
 * columns `column .. column + size`, `n` of them, to f32 rows at `tile`, `row` bytes apart. Destroys all registers but
 * the frame's.
 */
export function readRows(k: KernelBuilder, f: Frame): void {
  const [halves, blocks, groups, odd] = [k.label(), k.label(), k.label(), k.label()];
  k.scope(() => {
    const type = f.load('sourceType');
    k.x.cmp(type, CACHE_F16);
    k.j('e', halves);
    k.x.cmp(type, CACHE_F32);
    k.j('ne', blocks);
  });
  readFloats(k, f);
  k.x.ret();
  k.bind(halves);
  readHalves(k, f);
  k.x.ret();
  k.bind(blocks);
  k.scope(() => {
    const size = f.load('size');
    k.x.test(size, GROUP - 1);
    k.j('ne', odd);
    k.x.test(size, Q8_BLOCK - 1);
    k.j('ne', groups);
  });
  readBlocks(k, f);
  k.x.ret();
  k.bind(groups);
  readGroups(k, f);
  k.x.ret();
  k.bind(odd);
  readCodes(k, f);
  k.x.ret();
}

/** A loop over the rows: registers of the source's and the tile's row, and of what is to be fetched. */
function eachRow(k: KernelBuilder, f: Frame, body: (source: Gpr, target: Gpr, ahead: Gpr) => void): void {
  k.scope(() => {
    const [source, bytes, target, row, count] = ['source', 'sourceBytes', 'tile', 'row', 'n'].map((name) =>
      f.load(name),
    );
    const ahead = f.load('ahead');
    k.x.add(ahead, source);
    k.countdown(
      count,
      () => {
        body(source, target, ahead);
        k.x.add(source, bytes);
        k.x.add(ahead, bytes);
        k.x.add(target, row);
      },
      true,
    );
  });
}

function readFloats(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const size = f.load('size');
    const value = k.vec('value');
    f.shift('source', 'column', 4);
    eachRow(k, f, (source, target, ahead) => {
      const one = (at: Gpr): void => {
        k.x.vmovss(xmm(value), f32At(source, at));
        k.x.vmovss_store(f32At(target, at), xmm(value));
      };
      const many = (at: Gpr): void => {
        k.x.prefetcht0(f32At(ahead, at));
        k.x.vmovups(value, f32At(source, at));
        k.x.vmovups_store(f32At(target, at), value);
      };
      eachColumn(k, size, many, one);
    });
  });
}

function readHalves(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const size = f.load('size');
    const bits = k.gpr('bits');
    const value = k.vec('value');
    f.shift('source', 'column', 2);
    eachRow(k, f, (source, target, ahead) => {
      const one = (at: Gpr): void => {
        k.x.load16(bits, memAt(source, at, 2));
        k.x.vmovd(xmm(value), low32(bits));
        k.x.vcvtph2ps(xmm(value), xmm(value));
        k.x.vmovss_store(f32At(target, at), xmm(value));
      };
      const many = (at: Gpr): void => {
        k.x.prefetcht0(memAt(ahead, at, 2));
        k.x.vcvtph2ps(value, memAt(source, at, 2));
        k.x.vmovups_store(f32At(target, at), value);
      };
      eachColumn(k, size, many, one);
    });
  });
}

/** Heads of whole blocks. */
function readBlocks(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [begin, size] = [f.load('column'), f.load('size')];
    const [d, value] = [k.vec('d'), k.vec('value')];
    k.x.shr(begin, Math.log2(Q8_BLOCK));
    k.x.imul(begin, begin, Q8_BYTES);
    k.x.add(begin, f.at('source'));
    f.store('source', begin);
    eachRow(k, f, (source, target, ahead) => {
      k.scope(() => {
        const [block, at] = [k.gpr('block'), k.gpr('at')];
        k.clear(block, at);
        k.while(at, 'l', size, () => {
          k.x.prefetcht0(memAt(ahead, block));
          k.x.vcvtph2ps(xmm(d), memAt(source, block)); // d and some codes; only d is used
          k.x.vbroadcastss(d, xmm(d));
          for (let i = 0; i < Q8_BLOCK; i += k.lanes) {
            k.x.vpmovsxbd(value, memAt(source, block, 1, 2 + i));
            k.x.vcvtdq2ps(value, value);
            k.x.vmulps(value, value, d);
            k.x.vmovups_store(plus(f32At(target, at), 4 * i), value);
          }
          k.x.add(block, Q8_BYTES);
          k.x.add(at, Q8_BLOCK);
        });
      });
    });
  });
}

/** Heads of whole groups of 16 columns: group by group, each of them in one block. */
function readGroups(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [column, groups, tile, source] = ['column', 'size', 'tile', 'source'].map((name) => f.load(name));
    const [block, codes] = [k.gpr('block'), k.gpr('codes')];
    const [d, value] = [k.vec('d'), k.vec('value')];
    k.x.shr(groups, Math.log2(GROUP));
    k.countdown(groups, () => {
      toBlock(k, source, column, block, codes);
      f.store('blockAt', block);
      f.store('codesAt', codes);
      k.scope(() => {
        const [at, codesAt] = [f.load('blockAt'), f.load('codesAt')];
        const [bytes, row, count] = ['sourceBytes', 'row', 'n'].map((name) => f.load(name));
        const target = k.gpr('target');
        k.x.mov(target, tile);
        k.countdown(
          count,
          () => {
            k.x.vcvtph2ps(xmm(d), mem(at)); // d and some codes; only d is used
            k.x.vbroadcastss(d, xmm(d));
            for (let i = 0; i < GROUP; i += k.lanes) {
              k.x.vpmovsxbd(value, mem(codesAt, i));
              k.x.vcvtdq2ps(value, value);
              k.x.vmulps(value, value, d);
              k.x.vmovups_store(mem(target, 4 * i), value);
            }
            k.x.add(at, bytes);
            k.x.add(codesAt, bytes);
            k.x.add(target, row);
          },
          true,
        );
      });
      k.x.add(tile, 4 * GROUP);
      k.x.add(column, GROUP);
    });
  });
}

/** Heads that end within blocks: column by column. */
function readCodes(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [column, size, tile, source] = ['column', 'size', 'tile', 'source'].map((name) => f.load(name));
    const [block, codes, code] = [k.gpr('block'), k.gpr('codes'), k.gpr('code')];
    const [d, value] = [k.vec('d'), k.vec('value')];
    k.countdown(size, () => {
      toBlock(k, source, column, block, codes);
      k.scope(() => {
        const [row, count] = [f.load('row'), f.load('n')];
        const target = k.gpr('target');
        k.x.mov(target, tile);
        k.countdown(
          count,
          () => {
            k.x.vcvtph2ps(xmm(d), mem(block));
            k.x.load8s(code, mem(codes));
            k.x.vcvtsi2ss(xmm(value), xmm(value), code);
            k.x.vmulss(xmm(value), xmm(value), xmm(d));
            k.x.vmovss_store(mem(target), xmm(value));
            k.x.add(block, f.at('sourceBytes'));
            k.x.add(codes, f.at('sourceBytes'));
            k.x.add(target, row);
          },
          true,
        );
      });
      k.x.add(tile, 4);
      k.x.add(column, 1);
    });
  });
}

/** Addresses of the block that a column is in, and of the column's code. */
function toBlock(k: KernelBuilder, source: Gpr, column: Gpr, block: Gpr, codes: Gpr): void {
  k.x.mov(block, column);
  k.x.shr(block, Math.log2(Q8_BLOCK));
  k.x.imul(block, block, Q8_BYTES);
  k.x.add(block, source);
  k.x.mov(codes, column);
  k.x.and(codes, Q8_BLOCK - 1);
  k.x.lea(codes, memAt(codes, block, 1, 2));
}
