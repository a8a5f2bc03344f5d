/**
 * Keys turned around, so that lanes are positions: what products of queries and keys want. f16 and q8_0 keys are turned
 * as they lie in the cache, two or four columns at a time, and become f32 afterwards.
 */
import { CACHE_F16, CACHE_F32, Q8_BLOCK, Q8_BYTES } from '../../wasm/kernels/cache-types.as.ts';
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, type Label, type Memory, mem, memAt, type Vec, xmm, ymm } from '../x64/index.ts';
import { TILE_KEYS } from './attention-layout.ts';
import type { Frame } from './frame.ts';

/** Bytes from a column of turned keys to the next one. */
const TURNED_ROW = 4 * TILE_KEYS;

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

/** Emits a walk over squares of keys, n and D in whole ones: `body` gets their row in the cache and their place in `turned`. */
function eachSquare(
  k: KernelBuilder,
  f: Frame,
  body: (from: Gpr, to: Gpr, row: Gpr, ahead: Gpr) => void,
): void {
  k.scope(() => {
    const [from, to, row, rows, ahead] = ['source', 'turned', 'sourceBytes', 'n', 'ahead'].map((name) =>
      f.load(name),
    );
    k.while(rows, 'g', 0, () => {
      k.scope(() => {
        const [at, target] = [k.gpr('at'), k.gpr('target')];
        k.x.mov(at, from);
        k.x.mov(target, to);
        body(at, target, row, ahead);
      });
      for (let i = 0; i < k.lanes; i++) k.x.add(from, row);
      k.x.add(to, k.level.bytes);
      k.x.sub(rows, k.lanes);
    });
  });
}

/** Emits: f16 keys from variable `source` on straight to `turned`. */
function turnHalves(k: KernelBuilder, f: Frame): void {
  f.shift('source', 'column', 2);
  eachSquare(k, f, (at, target, row, ahead) => {
    const left = f.load('size');
    k.while(left, 'g', 0, () => {
      turnPairs(k, at, row, ahead, target);
      k.x.add(at, k.level.bytes);
      k.x.add(target, 2 * k.lanes * TURNED_ROW);
      k.x.sub(left, 2 * k.lanes);
    });
  });
}

/** Emits: the scales of as many blocks as there are lanes, `row` bytes apart, as f32. */
function loadScales(k: KernelBuilder, from: Gpr, row: Gpr, disp: number): Vec {
  const scales = k.vec('scales');
  k.scope(() => {
    const [at, half] = [k.gpr('at'), k.vec('half')];
    k.x.mov(at, from);
    for (let i = 0; i < k.lanes; i++) {
      const target = xmm(i < 8 ? scales : half);
      k.x.vpinsrw(target, target, mem(at, disp), i % 8);
      k.x.add(at, row);
    }
    if (k.level.avx512) {
      k.x.vinserti32x4(ymm(half), ymm(scales), xmm(half), 1);
      k.x.vcvtph2ps(scales, ymm(half));
    } else k.x.vcvtph2ps(scales, xmm(scales));
  });
  return scales;
}

/** Emits loads of the codes of one block or two of each row. */
function loadCodes(k: KernelBuilder, from: Gpr, row: Gpr, ahead: Gpr, blocks: 1 | 2): readonly Vec[] {
  const a = k.vecs('row', k.lanes);
  k.scope(() => {
    const [at, next] = [k.gpr('at'), k.gpr('next')];
    k.x.mov(at, from);
    k.x.lea(next, memAt(from, ahead));
    for (const v of a) {
      k.x.vmovdqu(ymm(v), mem(at, 2));
      if (blocks === 2) k.x.vinserti64x4(v, v, mem(at, Q8_BYTES + 2), 1);
      k.x.prefetcht0(mem(next));
      k.x.add(at, row);
      k.x.add(next, row);
    }
  });
  return a;
}

/** One block or two of each row: fours of codes are turned around, then taken apart. */
function turnFours(k: KernelBuilder, from: Gpr, to: Gpr, row: Gpr, ahead: Gpr, blocks: 1 | 2): void {
  k.scope(() => {
    const columns = turnSquare(k, loadCodes(k, from, row, ahead, blocks));
    const fours = Q8_BLOCK / 4;
    for (let block = 0; block < blocks; block++) {
      k.scope(() => {
        const scales = loadScales(k, from, row, block * Q8_BYTES);
        const value = k.vec('value');
        for (let i = 0; i < Q8_BLOCK; i++) {
          const four = columns[block * fours + (i >> 2)];
          const byte = i % 4;
          if (byte < 3) k.x.vpslld(value, four, 24 - 8 * byte);
          k.x.vpsrad(value, byte < 3 ? value : four, 24);
          k.x.vcvtdq2ps(value, value);
          k.x.vmulps(value, value, scales);
          k.x.vmovups_store(mem(to, (block * Q8_BLOCK + i) * TURNED_ROW), value);
        }
      });
    }
  });
}

/** Emits: q8_0 keys from variable `source` on straight to `turned`; heads are whole blocks. */
function turnBlocks(k: KernelBuilder, f: Frame): void {
  k.scope(() => {
    const begin = f.load('column');
    k.x.shr(begin, Math.log2(Q8_BLOCK));
    k.x.imul(begin, begin, Q8_BYTES);
    k.x.add(begin, f.at('source'));
    f.store('source', begin);
  });
  eachSquare(k, f, (at, target, row, ahead) => {
    const left = f.load('size');
    for (const blocks of k.level.avx512 ? ([2, 1] as const) : ([1] as const)) {
      k.while(left, 'ge', blocks * Q8_BLOCK, () => {
        turnFours(k, at, target, row, ahead, blocks);
        k.x.add(at, blocks * Q8_BYTES);
        k.x.add(target, blocks * Q8_BLOCK * TURNED_ROW);
        k.x.sub(left, blocks * Q8_BLOCK);
      });
    }
  });
}

/**
 * Emits a subroutine: as `readRows`, and turned to `turned`. @param rows the subroutine `readRows`.
 */
export function readTurned(k: KernelBuilder, f: Frame, rows: Label): void {
  const [plain, blocks] = [k.label(), k.label()];
  /** A jump where heads or keys are no whole squares, of so many columns. */
  const squares = (columns: number): void =>
    k.scope(() => {
      k.x.test(f.load('size'), columns - 1);
      k.j('ne', plain);
      k.x.test(f.load('n'), k.lanes - 1);
      k.j('ne', plain);
    });
  k.x.cmp(f.at('sourceType'), CACHE_F32);
  k.j('e', plain);
  k.x.cmp(f.at('sourceType'), CACHE_F16);
  k.j('ne', blocks);
  squares(2 * k.lanes);
  turnHalves(k, f);
  k.x.ret();
  k.bind(blocks);
  squares(Q8_BLOCK);
  turnBlocks(k, f);
  k.x.ret();
  k.bind(plain);
  k.call(rows);
  turnTile(k, f);
  k.x.ret();
}
