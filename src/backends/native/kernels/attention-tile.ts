/** Tiles of keys and values: rows of a cache to f32, and turned around so that lanes are positions. */
import { CACHE_F16, CACHE_F32, Q8_BLOCK, Q8_BYTES } from '../../wasm/kernels/cache-types.as.ts';
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, type Label, low32, type Memory, mem, memAt, type Vec, xmm, ymm } from '../x64/index.ts';
import { eachColumn, f32At } from './attention-lanes.ts';
import { TILE_KEYS } from './attention-layout.ts';
import type { Frame } from './frame.ts';

/** Columns that never lie in two blocks of q8_0, where heads begin and end at multiples of it. */
const GROUP = 16;

/**
 * Emits a subroutine: rows of a cache from variable `source` on, `sourceBytes` apart, of cache type `sourceType`, their
 * columns `column .. column + size`, `n` of them, to f32 rows at `tile`, `row` bytes apart. Destroys all registers but
 * the frame's.
 */
export function readRows(k: KernelBuilder, f: Frame): void {
  const [halves, blocks, odd] = [k.label(), k.label(), k.label()];
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
    k.x.test(f.load('size'), GROUP - 1);
    k.j('ne', odd);
  });
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

/**
 * Emits: `tile` [n, padded D], `row` bytes apart, turned to `turned` [padded D, a tile], in squares of lanes. What is
 * behind n rows is turned as well up to whole squares; it is masked later.
 */
function turnTile(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const [from, to, row, rows] = ['tile', 'turned', 'row', 'n'].map((name) => f.load(name));
    const { bytes } = k.level;
    k.while(rows, 'g', 0, () => {
      k.scope(() => {
        const [at, target, left] = ['at', 'target', 'left'].map((name) => k.gpr(name));
        k.x.mov(at, from);
        k.x.mov(target, to);
        k.x.mov(left, row);
        k.while(left, 'g', 0, () => {
          turnFloats(k, at, row, target);
          k.x.add(at, bytes);
          k.x.add(target, k.lanes * TURNED_ROW);
          k.x.sub(left, bytes);
        });
      });
      for (let i = 0; i < k.lanes; i++) k.x.add(from, row);
      k.x.add(to, bytes);
      k.x.sub(rows, k.lanes);
    });
  });
}

/**
 * Emits the square of which `a` holds the rows turned around. Takes as many more registers.
 * @returns registers of the columns.
 */
function turnSquare(k: KernelBuilder, a: readonly Vec[]): readonly Vec[] {
  const b = k.vecs('turned', a.length);
  for (let i = 0; i < a.length; i += 2) {
    k.x.vunpcklps(b[i], a[i], a[i + 1]);
    k.x.vunpckhps(b[i + 1], a[i], a[i + 1]);
  }
  for (let i = 0; i < a.length; i += 4) {
    for (const j of [0, 1]) {
      k.x.vunpcklpd(a[i + 2 * j], b[i + j], b[i + j + 2]);
      k.x.vunpckhpd(a[i + 2 * j + 1], b[i + j], b[i + j + 2]);
    }
  }
  // a[4 * i + j], quarter or half q: column 4 * q + j of rows 4 * i .. 4 * i + 3.
  if (k.level.avx512) return turnQuarters(k, a, b);
  for (let j = 0; j < 4; j++) {
    k.x.vperm2f128(b[j], a[j], a[j + 4], 0x20);
    k.x.vperm2f128(b[j + 4], a[j], a[j + 4], 0x31);
  }
  k.free(...a);
  return b;
}

function turnQuarters(k: KernelBuilder, a: readonly Vec[], b: readonly Vec[]): readonly Vec[] {
  for (let j = 0; j < 4; j++) {
    for (const odd of [0, 1]) {
      const order = odd ? 0xdd : 0x88;
      k.x.vshuff32x4(b[j + 4 * odd], a[j], a[j + 4], order);
      k.x.vshuff32x4(b[j + 4 * odd + 8], a[j + 8], a[j + 12], order);
    }
  }
  for (let j = 0; j < 4; j++) {
    for (const odd of [0, 1]) {
      for (const high of [0, 1]) {
        const column = 4 * (odd + 2 * high) + j;
        k.x.vshuff32x4(a[column], b[j + 4 * odd], b[j + 4 * odd + 8], high ? 0xdd : 0x88);
      }
    }
  }
  k.free(...b);
  return a;
}

/** Emits loads of a square's rows, `row` bytes apart. @param ahead distance of what is to be fetched. */
function loadSquare(k: KernelBuilder, from: Gpr, row: Gpr, ahead?: Gpr): readonly Vec[] {
  const a = k.vecs('row', k.lanes);
  k.scope(() => {
    const at = k.gpr('at');
    const next = ahead && k.gpr('next');
    k.x.mov(at, from);
    if (next) k.x.lea(next, memAt(from, ahead));
    a.forEach((v, i) => {
      k.x.vmovups(v, i % 2 ? memAt(at, row) : mem(at));
      if (next) k.x.prefetcht0(i % 2 ? memAt(next, row) : mem(next));
      if (i % 2 === 0) return;
      k.x.lea(at, memAt(at, row, 2));
      if (next) k.x.lea(next, memAt(next, row, 2));
    });
  });
  return a;
}

/** Bytes from a column of turned keys to the next one. */
const TURNED_ROW = 4 * TILE_KEYS;

/** One square of f32. */
function turnFloats(k: KernelBuilder, from: Gpr, row: Gpr, to: Gpr): void {
  k.scope(() => {
    turnSquare(k, loadSquare(k, from, row)).forEach((column, i) => {
      k.x.vmovups_store(mem(to, i * TURNED_ROW), column);
    });
  });
}

/** Order of 16-bit words that takes pairs apart: first those of even numbers, then the others. */
function apart(k: KernelBuilder): Memory {
  if (k.level.avx512) {
    const words = Uint16Array.from({ length: 32 }, (_, i) => (i < 16 ? 2 * i : 2 * (i - 16) + 1));
    return k.constant(new Uint8Array(words.buffer));
  }
  const half = [0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15];
  return k.constant(Uint8Array.from([...half, ...half]));
}

/** A square of pairs of f16, the columns 2 i and 2 i + 1. */
function turnPairs(k: KernelBuilder, from: Gpr, row: Gpr, ahead: Gpr, to: Gpr): void {
  k.scope(() => {
    const columns = turnSquare(k, loadSquare(k, from, row, ahead));
    const [order, low, high] = [k.vec('order'), k.vec('low'), k.vec('high')];
    k.x.vmovups(order, apart(k));
    columns.forEach((pairs, i) => {
      if (k.level.avx512) {
        k.x.vpermw(pairs, order, pairs);
        k.x.vcvtph2ps(low, ymm(pairs));
        k.x.vextracti64x4(ymm(pairs), pairs, 1);
        k.x.vcvtph2ps(high, ymm(pairs));
      } else {
        k.x.vpshufb(pairs, pairs, order);
        k.x.vpermq(pairs, pairs, 0xd8);
        k.x.vcvtph2ps(low, xmm(pairs));
        k.x.vextracti128(xmm(pairs), pairs, 1);
        k.x.vcvtph2ps(high, xmm(pairs));
      }
      k.x.vmovups_store(mem(to, 2 * i * TURNED_ROW), low);
      k.x.vmovups_store(mem(to, (2 * i + 1) * TURNED_ROW), high);
    });
  });
}

/** Emits: f16 keys from variable `source` on straight to `turned`. `n` and `size` are whole squares. */
function turnHalves(k: KernelBuilder, f: Frame): void {
  f.shift('source', 'column', 2);
  k.scope(() => {
    const [from, to, row, rows, ahead] = ['source', 'turned', 'sourceBytes', 'n', 'ahead'].map((name) =>
      f.load(name),
    );
    k.while(rows, 'g', 0, () => {
      k.scope(() => {
        const [at, target, left] = [k.gpr('at'), k.gpr('target'), f.load('size')];
        k.x.mov(at, from);
        k.x.mov(target, to);
        k.while(left, 'g', 0, () => {
          turnPairs(k, at, row, ahead, target);
          k.x.add(at, k.level.bytes);
          k.x.add(target, 2 * k.lanes * TURNED_ROW);
          k.x.sub(left, 2 * k.lanes);
        });
      });
      for (let i = 0; i < k.lanes; i++) k.x.add(from, row);
      k.x.add(to, k.level.bytes);
      k.x.sub(rows, k.lanes);
    });
  });
}

/**
 * Emits a subroutine: as `readRows`, and turned to `turned`. @param rows the subroutine `readRows`.
 */
export function readTurned(k: KernelBuilder, f: Frame, rows: Label): void {
  const plain = k.label();
  k.x.cmp(f.at('sourceType'), CACHE_F16);
  k.j('ne', plain);
  k.scope(() => {
    k.x.test(f.load('size'), 2 * k.lanes - 1);
    k.j('ne', plain);
    k.x.test(f.load('n'), k.lanes - 1);
    k.j('ne', plain);
  });
  turnHalves(k, f);
  k.x.ret();
  k.bind(plain);
  k.call(rows);
  turnTile(k, f);
  k.x.ret();
}
