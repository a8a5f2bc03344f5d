/**
 * Loops over the columns of a row, any number of them: whole vectors, several at a time if wanted, then the rest. The
 * rest is read and written through masks (AVX-512), vmaskmov (AVX2, elements of 4 and 8 bytes) or word by word (AVX2,
 * 2 bytes), so nothing outside the row is touched, and a kernel says once what it does with a vector.
 */
import type { KernelBuilder } from '../kernel.ts';
import {
  type Gpr,
  low32,
  type Mask,
  type Memory,
  masked,
  mem,
  memAt,
  rsp,
  type Vec,
  xmm,
  ymm,
  zeroing,
} from '../x64/index.ts';

/** Bytes of an element. */
export type ElementBytes = 2 | 4 | 8;

/** The columns of one vector. Registers hold as many elements as the loop has lanes; they may be parts of wider ones. */
export interface Columns {
  /** Reads elements of the row at `base`. Those behind the row's end become 0, or `fill`: f32 only. */
  load(target: Vec, base: Gpr, bytes?: ElementBytes, fill?: Memory): void;
  /** Writes elements of the row at `base`; those behind the row's end stay as they are. */
  store(base: Gpr, source: Vec, bytes?: ElementBytes): void;
}

export interface ColumnLoop {
  /** Vectors at a time where as many are left. */
  readonly unroll?: number;
  /** Columns of a vector; f32 lanes of the level if left out. */
  readonly lanes?: number;
}

/** The lower half of a vector register of the level: f32 lanes beside f64 lanes, or halves beside f32. */
export function lowerHalf(k: KernelBuilder, vector: Vec): Vec {
  return k.level.avx512 ? ymm(vector) : xmm(vector);
}

/**
 * Emits `body` for the columns `at .. at + count`.
 * @param at first column; advances. @param count how many; counted down to 0.
 * @param body gets as many vectors as it is to handle now: `unroll` or one.
 */
export function eachColumns(
  k: KernelBuilder,
  at: Gpr,
  count: Gpr,
  body: (parts: readonly Columns[]) => void,
  { unroll = 1, lanes = k.lanes }: ColumnLoop = {},
): void {
  for (const parts of unroll > 1 ? [unroll, 1] : [1]) {
    const step = parts * lanes;
    k.while(count, 'ge', step, () => {
      body(Array.from({ length: parts }, (_, part) => wholeColumns(k, at, part * lanes)));
      k.x.add(at, step);
      k.x.sub(count, step);
    });
  }
  const done = k.label();
  k.x.test(count, count);
  k.j('e', done);
  if (k.level.avx512) maskedRest(k, at, count, body);
  else narrowRest(k, at, count, body);
  k.x.add(at, count);
  k.clear(count);
  k.bind(done);
}

function wholeColumns(k: KernelBuilder, at: Gpr, first: number): Columns {
  const place = (base: Gpr, bytes: ElementBytes): Memory => memAt(base, at, bytes, first * bytes);
  return {
    load: (target, base, bytes = 4) => k.x.vmovups(target, place(base, bytes)),
    store: (base, source, bytes = 4) => k.x.vmovups_store(place(base, bytes), source),
  };
}

/** The rest by a mask register. */
function maskedRest(k: KernelBuilder, at: Gpr, count: Gpr, body: (parts: readonly Columns[]) => void): void {
  const mask = k.registers.mask('rest');
  const ones = k.gpr('ones');
  k.x.mov(ones, -1);
  k.x.bzhi(ones, ones, count);
  k.x.kmovd_from(mask, low32(ones));
  k.free(ones);
  body([maskedColumns(k, at, mask)]);
  k.free(mask);
}

/** Moves of masked elements. */
const MASKED = {
  2: ['vmovdqu16', 'vmovdqu16_store'],
  4: ['vmovups', 'vmovups_store'],
  8: ['vmovupd', 'vmovupd_store'],
} as const;

function maskedColumns(k: KernelBuilder, at: Gpr, mask: Mask): Columns {
  return {
    load: (target, base, bytes = 4, fill?: Memory) => {
      const [load] = MASKED[bytes];
      if (fill) k.x.vmovups(target, fill);
      k.x[load](fill ? masked(target, mask) : zeroing(target, mask), memAt(base, at, bytes));
    },
    store: (base, source, bytes = 4) => {
      const [, store] = MASKED[bytes];
      k.x[store](masked(memAt(base, at, bytes), mask), source);
    },
  };
}

/** Bytes below rsp that words of a rest pass through: the lowest of those that a kernel may use there. */
const WORDS = -128;

/** The rest by vector masks, one an element size, each made when it is first used. */
function narrowRest(k: KernelBuilder, at: Gpr, count: Gpr, body: (parts: readonly Columns[]) => void): void {
  const masks = new Map<ElementBytes, Vec>();
  const maskOf = (bytes: 4 | 8): Vec => {
    const known = masks.get(bytes);
    if (known) return known;
    const mask = firstElements(k, count, bytes);
    masks.set(bytes, mask);
    return mask;
  };
  body([
    {
      load: (target, base, bytes = 4, fill?: Memory) => {
        if (bytes === 2) {
          k.zero(target);
          k.x.vmovups_store(mem(rsp, WORDS), xmm(target));
          copyWords(k, count, base, at, 'from row');
          k.x.vmovups(xmm(target), mem(rsp, WORDS));
          return;
        }
        const mask = sameWidth(maskOf(bytes), target);
        k.x[bytes === 4 ? 'vmaskmovps' : 'vmaskmovpd'](target, mask, memAt(base, at, bytes));
        if (!fill) return;
        const filler = k.vec('fill');
        k.x.vmovups(filler, fill);
        k.x.vblendvps(target, sameWidth(filler, target), target, mask);
        k.free(filler);
      },
      store: (base, source, bytes = 4) => {
        if (bytes === 2) {
          k.x.vmovups_store(mem(rsp, WORDS), xmm(source));
          copyWords(k, count, base, at, 'to row');
          return;
        }
        const mask = sameWidth(maskOf(bytes), source);
        k.x[bytes === 4 ? 'vmaskmovps_store' : 'vmaskmovpd_store'](memAt(base, at, bytes), mask, source);
      },
    },
  ]);
  k.free(...masks.values());
}

const sameWidth = (register: Vec, like: Vec): Vec => (like.kind === 'xmm' ? xmm(register) : ymm(register));

/** A vector with all bits set in its first `count` elements. */
function firstElements(k: KernelBuilder, count: Gpr, bytes: 4 | 8): Vec {
  const mask = k.vec(`mask${bytes}`);
  const [table, back] = [k.gpr('table'), k.gpr('back')];
  k.x.lea(table, k.constant(Uint8Array.from({ length: 64 }, (_, i) => (i < 32 ? 255 : 0))));
  k.x.mov(back, count);
  k.x.neg(back);
  k.x.vmovups(mask, memAt(table, back, bytes, 32));
  k.free(table, back);
  return mask;
}

/** Copies `count` words between the row at `base`, from column `at`, and the bytes below rsp. */
function copyWords(k: KernelBuilder, count: Gpr, base: Gpr, at: Gpr, direction: 'to row' | 'from row'): void {
  const [i, row, word] = [k.gpr('i'), k.gpr('row'), k.gpr('word')];
  k.x.lea(row, memAt(base, at, 2));
  k.clear(i);
  const below = memAt(rsp, i, 2, WORDS);
  const inRow = memAt(row, i, 2);
  const top = k.here();
  k.x.load16(word, direction === 'to row' ? below : inRow);
  k.x.store16(direction === 'to row' ? inRow : below, word);
  k.x.add(i, 1);
  k.x.cmp(i, count);
  k.j('l', top);
  k.free(i, row, word);
}
