/**
 * A tile: up to six tokens times a chunk of a panel, added to the tokens' f32 totals. One plane of activations.
 */
import { type Gpr, type Memory, mem, memAt, type Vec, xmm, ymm } from '../../x64/index.ts';
import { addWords, Products, wayOf } from './multiply.ts';
import { type Batch, CHUNK, type Slot, VECTORS } from './shape.ts';

/** Bytes of a token's part of `folded`. */
const FOLDED = 32;

/** Rows of a part of the activations, one a token of the tile: up to six from two addresses and a stride. */
class TokenRows {
  readonly #b: Batch;
  readonly #bases: readonly Gpr[];
  readonly #stride: Gpr;

  constructor(b: Batch, tokens: number) {
    this.#b = b;
    this.#bases = Array.from({ length: Math.ceil(tokens / 3) }, (_, i) => b.k.gpr(`tokens${3 * i}`));
    this.#stride = b.k.gpr('stride');
  }

  /** Points at the slots' address and stride. */
  set(address: Slot, stride: Slot): void {
    const { x } = this.#b.k;
    this.#b.load(this.#stride, stride);
    this.#bases.forEach((base, i) => {
      if (i === 0) this.#b.load(base, address);
      else {
        x.lea(base, memAt(this.#bases[i - 1], this.#stride, 2));
        x.add(base, this.#stride);
      }
    });
  }

  at(token: number, disp: number): Memory {
    const base = this.#bases[Math.floor(token / 3)];
    const step = token % 3;
    return step === 0 ? mem(base, disp) : memAt(base, this.#stride, step === 1 ? 1 : 2, disp);
  }

  advance(bytes: number): void {
    for (const base of this.#bases) this.#b.k.x.add(base, bytes);
  }
}

/** The tile at slots `codeAt`, `sumAt`, `scaleAt`, `totalAt`, which stay as they are. */
export function emitTile(b: Batch, tokens: number): void {
  b.k.scope(() => (b.unpack.block === 256 ? wideTile(b, tokens) : narrowTile(b, tokens)));
}

/** Sums [token][v]. */
type Sums = readonly (readonly Vec[])[];

function sumsOf(b: Batch, name: string, tokens: number): Sums {
  return Array.from({ length: tokens }, (_, t) => b.k.vecs(`${name}${t} `, VECTORS));
}

function each(sums: Sums, use: (sum: Vec, t: number, v: number) => void): void {
  sums.forEach((row, t) => {
    row.forEach((sum, v) => void use(sum, t, v));
  });
}

/** `sums +=` products of `columns` columns at the pointers, which stay. */
function products(
  b: Batch,
  sums: Sums,
  products: Products,
  rows: TokenRows,
  panel: Gpr,
  columns: number,
): void {
  for (let i = 0; i < columns / 4; i++) {
    products.weights((v) => mem(panel, i * b.line + v * b.vector));
    sums.forEach((row, t) => {
      products.codes(rows.at(t, 4 * i));
      row.forEach((sum, v) => void products.add(sum, v));
    });
  }
}

/** Blocks of 256: integers within the block, then one f32 step. */
function wideTile(b: Batch, tokens: number): void {
  const { k, unpack } = b;
  const rows = new TokenRows(b, tokens);
  const way = wayOf(k.level, unpack);
  const totals = sumsOf(b, 'block', tokens);
  rows.set('codeAt', 'codeStride');
  each(totals, (total, _, v) => {
    if (way === 'turned') k.x.vmovdqu(total, b.at('start', v * b.vector));
    else k.zero(total);
  });
  k.scope(() => {
    const steps = new Products(k, way);
    const [panel, table, count] = ['panel', 'table', 'count'].map((name) => k.gpr(name));
    const columns = b.scaled ?? 32;
    const sums = b.scaled ? sumsOf(b, 'sum', tokens) : totals;
    k.x.lea(panel, b.at('panel'));
    k.x.lea(table, b.at('scales'));
    k.x.mov(count, CHUNK / columns);
    k.countdown(
      count,
      () => {
        if (b.scaled) each(sums, (sum) => void k.zero(sum));
        products(b, sums, steps, rows, panel, columns);
        if (b.scaled) {
          each(sums, (sum, t, v) => {
            k.x.vpmulld(sum, sum, mem(table, v * b.vector));
            k.x.vpaddd(totals[t][v], totals[t][v], sum);
          });
        }
        k.x.add(panel, (columns / 4) * b.line);
        k.x.add(table, b.line);
        rows.advance(columns);
      },
      true,
    );
  });
  const mins = unpack.mins ? minSums(b, tokens, rows) : undefined;
  rows.set('scaleAt', 'scaleStride');
  blockStep(b, totals, mins, rows);
}

/** Sums of mins times activations. */
function minSums(b: Batch, tokens: number, rows: TokenRows): Sums {
  const { k } = b;
  const joined = b.unpack.scaled === 32;
  const sums = sumsOf(b, 'min', tokens);
  rows.set('sumAt', 'sumStride');
  each(sums, (sum) => void k.zero(sum));
  if (joined) foldSums(b, tokens, rows);
  k.scope(() => {
    const pair = k.vec('pair');
    const part = k.level.vnni ? pair : k.vec('part');
    for (let j = 0; j < (joined ? 4 : 8); j++) {
      sums.forEach((row, t) => {
        k.x.vpbroadcastd(pair, joined ? b.at('folded', t * FOLDED + 4 * j) : rows.at(t, 4 * j));
        row.forEach((sum, v) => {
          addWords(k, sum, pair, b.at('mins', j * b.line + v * b.vector), part);
        });
      });
    }
  });
  return sums;
}

/** Sums of 32 codes instead of 16, as i16 in `folded`. */
function foldSums(b: Batch, tokens: number, rows: TokenRows): void {
  const { k } = b;
  k.scope(() => {
    const [pairs, half] = [k.registers.ymm('pairs'), k.registers.xmm('half')];
    for (let t = 0; t < tokens; t++) {
      k.x.vmovdqu(pairs, rows.at(t, 0));
      k.x.vpmaddwd(pairs, pairs, k.i16(1));
      if (k.level.avx512) k.x.vextracti32x4(half, pairs, 1);
      else k.x.vextracti128(half, pairs, 1);
      k.x.vpackssdw(half, xmm(pairs), half);
      k.x.vmovdqu_store(b.at('folded', t * FOLDED), half);
    }
  });
}

/** `total += (sum * d - min sum * dmin) * scale`, per token and row. */
function blockStep(b: Batch, sums: Sums, mins: Sums | undefined, rows: TokenRows): void {
  const { k } = b;
  k.scope(() => {
    const scale = k.vec('scale');
    const at = k.gpr('totals');
    b.load(at, 'totalAt');
    each(sums, (sum, t, v) => {
      const total = mem(at, t * b.line + v * b.vector);
      if (v === 0) k.x.vbroadcastss(scale, rows.at(t, 0));
      k.x.vcvtdq2ps(sum, sum);
      k.x.vmulps(sum, sum, b.at('d', v * b.vector));
      if (mins) {
        k.x.vcvtdq2ps(mins[t][v], mins[t][v]);
        k.x.vfnmadd231ps(sum, mins[t][v], b.at('dmin', v * b.vector));
      }
      k.x.vfmadd213ps(sum, scale, total);
      k.x.vmovups_store(total, sum);
    });
  });
}

/** Blocks of 32: an f32 step each; totals stay in registers over the chunk. */
function narrowTile(b: Batch, tokens: number): void {
  const { k, unpack } = b;
  const codes = new TokenRows(b, tokens);
  const scales = new TokenRows(b, tokens);
  const way = wayOf(k.level, unpack);
  if (unpack.mins) {
    codes.set('sumAt', 'sumStride');
    scales.set('scaleAt', 'scaleStride');
    scaleSums(b, tokens, codes, scales);
  }
  codes.set('codeAt', 'codeStride');
  scales.set('scaleAt', 'scaleStride');
  const steps = new Products(k, way);
  const sums = sumsOf(b, 'sum', tokens);
  const totals = sumsOf(b, 'total', tokens);
  const [panel, table, folded, count] = ['panel', 'table', 'folded', 'count'].map((name) => k.gpr(name));
  b.load(count, 'totalAt');
  each(totals, (total, t, v) => void k.x.vmovups(total, mem(count, t * b.line + v * b.vector)));
  k.x.lea(panel, b.at('panel'));
  k.x.lea(table, b.at('d'));
  k.x.lea(folded, b.at('folded'));
  b.load(count, 'blocks');
  k.countdown(
    count,
    () => {
      each(sums, (sum, _, v) => {
        if (way === 'turned') k.x.vmovdqu(sum, mem(table, b.scratch.start - b.scratch.d + v * b.vector));
        else k.zero(sum);
      });
      products(b, sums, steps, codes, panel, 32);
      narrowStep(b, { sums, totals, table, folded, scales, scale: steps.spare });
      k.x.add(panel, 8 * b.line);
      k.x.add(table, b.line);
      k.x.add(folded, 4);
      codes.advance(32);
      scales.advance(4);
    },
    true,
  );
  b.load(count, 'totalAt');
  each(totals, (total, t, v) => void k.x.vmovups_store(mem(count, t * b.line + v * b.vector), total));
}

interface NarrowStep {
  readonly sums: Sums;
  readonly totals: Sums;
  /** Of d; that of dmin lies behind it. */
  readonly table: Gpr;
  readonly folded: Gpr;
  readonly scales: TokenRows;
  /** Is destroyed. */
  readonly scale: Vec;
}

/** `total += (sum * d) * scale - dmin * (scale * sum of activations)`. */
function narrowStep(b: Batch, { sums, totals, table, folded, scales, scale }: NarrowStep): void {
  const { k, scratch, unpack } = b;
  each(sums, (sum, t, v) => {
    if (v === 0) k.x.vbroadcastss(scale, scales.at(t, 0));
    k.x.vcvtdq2ps(sum, sum);
    k.x.vmulps(sum, sum, mem(table, v * b.vector));
    k.x.vfmadd231ps(totals[t][v], sum, scale);
  });
  if (!unpack.mins) return;
  each(totals, (total, t, v) => {
    if (v === 0) k.x.vbroadcastss(scale, mem(folded, t * FOLDED));
    k.x.vfnmadd231ps(total, scale, mem(table, scratch.dmin - scratch.d + v * b.vector));
  });
}

/** Activation scales times sums of 32 codes, f32, of up to eight blocks in `folded`. */
function scaleSums(b: Batch, tokens: number, sums: TokenRows, scales: TokenRows): void {
  const { k } = b;
  k.scope(() => {
    const pairs = k.registers.ymm('pairs');
    for (let t = 0; t < tokens; t++) {
      k.x.vmovdqu(pairs, sums.at(t, 0));
      k.x.vpmaddwd(pairs, pairs, k.i16(1));
      k.x.vcvtdq2ps(ymm(pairs), ymm(pairs));
      k.x.vmulps(pairs, pairs, scales.at(t, 0));
      k.x.vmovups_store(b.at('folded', t * FOLDED), pairs);
    }
  });
}
