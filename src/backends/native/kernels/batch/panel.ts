/**
 * A chunk of a panel: P weight rows x 256 columns from their blocks to bytes with the rows as lanes. First the unpacker
 * writes codes and headers row by row, then squares of them are transposed.
 */
import { type Gpr, type Memory, mem, type Vec, zmm } from '../../x64/index.ts';
import { Products, wayOf } from './multiply.ts';
import { type Batch, CHUNK, isFolded, panelRows, VECTORS } from './shape.ts';
import { transpose } from './transpose.ts';

/** Bytes of a row's header on the stage, and where its second half begins. */
const HEAD = 64;
const HALF = 32;

/** Expands the chunk at slot `blockAt`. */
export function emitPanel(b: Batch): void {
  stageRows(b);
  for (let v = 0; v < VECTORS; v++) transposeCodes(b, v);
  if (b.unpack.block === 256) {
    if (b.unpack.scaled || b.unpack.mins) transposeScales(b);
  } else transposeSteps(b);
  if (wayOf(b.k.level, b.unpack) === 'turned') emitStart(b);
}

/** Codes to [row][256], headers to [row][64]. Rows past the last are copies of it. */
function stageRows(b: Batch): void {
  const { k } = b;
  k.scope(() => {
    const kept = b.unpack.setup(k);
    const [row, stage, head, left, count] = ['row', 'stage', 'head', 'left', 'count'].map((name) =>
      k.gpr(name),
    );
    b.load(row, 'blockAt');
    b.load(left, 'rowsLeft');
    k.x.lea(stage, b.at('stage'));
    k.x.lea(head, b.at('heads'));
    k.x.mov(count, panelRows(k.level));
    const d = k.gpr('d');
    if (b.unpack.block === 256) k.x.lea(d, b.at('d'));
    k.countdown(
      count,
      () => {
        if (b.unpack.block === 256) wideBlock(b, kept, { row, stage, head, d });
        else narrowBlocks(b, kept, { row, stage, head, d });
        k.x.add(stage, CHUNK);
        k.x.add(head, HEAD);
        nextRow(b, row, left);
      },
      true,
    );
  });
}

/** Brings what comes next of the row into the second cache; the first holds the panel. */
function prefetch(b: Batch, row: Gpr): void {
  const { k, unpack } = b;
  k.scope(() => {
    const next = k.gpr('next');
    k.x.mov(next, row);
    k.x.add(next, b.slot('ahead'));
    const bytes = (CHUNK / unpack.block) * unpack.blockBytes;
    for (let line = 0; line < bytes; line += 64) k.x.prefetcht1(mem(next, line));
    k.x.prefetcht1(mem(next, bytes - 1));
  });
}

/** Codes 0 to 3 of weights 64 i and on become codes times scales: each 128 bits share one, and look its multiples up. */
function fold({ k }: Batch, codes: Vec, scales: Vec, i: number): void {
  k.scope(() => {
    const table = k.vec('multiples');
    const words = Uint16Array.from({ length: 32 }, (_, word) => 4 * i + (word >> 3));
    const multiples = Uint16Array.from({ length: 32 }, (_, word) => [0x0100, 0x0302][word % 8] ?? 0);
    k.x.vmovdqu(table, k.constant(new Uint8Array(words.buffer)));
    k.x.vpermw(table, table, zmm(scales));
    k.x.vpmullw(table, table, k.constant(new Uint8Array(multiples.buffer)));
    k.x.vpshufb(codes, table, codes);
  });
}

interface Places {
  readonly row: Gpr;
  readonly stage: Gpr;
  readonly head: Gpr;
  /** Of the row's d in blocks of 256; free to use in blocks of 32. */
  readonly d: Gpr;
}

function nextRow(b: Batch, row: Gpr, left: Gpr): void {
  const { k } = b;
  k.scope(() => {
    const next = k.gpr('next');
    k.x.mov(next, row);
    k.x.add(next, b.slot('rowBytes'));
    k.x.sub(left, 1);
    k.x.cmov('g', row, next);
  });
}

type Kept = ReturnType<Batch['unpack']['setup']>;

function wideBlock(b: Batch, kept: Kept, { row, stage, head, d }: Places): void {
  const { k, unpack, scratch } = b;
  prefetch(b, row);
  k.scope(() => {
    const { d: step, dmin, scales, mins } = unpack.header(k, row, kept);
    k.x.vmovss_store(mem(d), step);
    if (dmin) k.x.vmovss_store(mem(d, scratch.dmin - scratch.d), dmin);
    if (scales) k.x.vmovdqu_store(mem(head), scales);
    if (mins) k.x.vmovdqu_store(mem(head, HALF), mins);
    k.free(...[step, dmin, mins].filter((one) => one !== undefined));
    const folded = isFolded(k.level, unpack) ? scales : undefined;
    if (scales && !folded) k.free(scales);
    const shared = unpack.share?.(k, row, kept) ?? {};
    const codes = k.vec('codes');
    for (let i = 0; i < CHUNK / k.level.bytes; i++) {
      unpack.codes(k, row, i, codes, kept, shared);
      if (folded) fold(b, codes, folded, i);
      k.x.vmovdqu_store(mem(stage, i * k.level.bytes), codes);
    }
  });
  k.x.add(d, 4);
}

/** Up to eight blocks of 32; columns past the last block keep what the stage holds and meet no activations. */
function narrowBlocks(b: Batch, kept: Kept, { row, stage, head, d: count }: Places): void {
  const { k, unpack } = b;
  k.scope(() => {
    const [block, to, step] = ['block', 'to', 'step'].map((name) => k.gpr(name));
    prefetch(b, row);
    k.x.mov(block, row);
    k.x.mov(to, stage);
    k.x.mov(step, head);
    b.load(count, 'blocks');
    k.countdown(
      count,
      () => {
        k.scope(() => {
          const header = unpack.header(k, block, kept);
          k.x.vmovss_store(mem(step), header.d);
          if (header.dmin) k.x.vmovss_store(mem(step, HALF), header.dmin);
        });
        k.scope(() => {
          const shared = unpack.share?.(k, block, kept) ?? {};
          const codes = k.registers.ymm('codes');
          unpack.codes(k, block, 0, codes, kept, shared);
          k.x.vmovdqu_store(mem(to), codes);
        });
        k.x.add(block, unpack.blockBytes);
        k.x.add(to, 32);
        k.x.add(step, 4);
      },
      true,
    );
  });
}

/** The codes of row vector v: L columns of quads at a time. */
function transposeCodes(b: Batch, v: number): void {
  const { k, unpack } = b;
  const way = wayOf(k.level, unpack);
  k.scope(() => {
    const [from, to, count] = ['from', 'to', 'count'].map((name) => k.gpr(name));
    const offset = way === 'turned' || way === 'signs' ? k.u8(unpack.offset) : undefined;
    k.x.lea(from, b.at('stage', v * k.lanes * CHUNK));
    k.x.lea(to, b.at('panel', v * b.vector));
    k.x.mov(count, CHUNK / b.vector);
    k.countdown(
      count,
      () => {
        transpose(
          k,
          (row) => mem(from, row * CHUNK),
          (column, quad) => {
            if (offset) k.x.vpsubb(quad, quad, offset);
            k.x.vmovdqu_store(mem(to, column * b.line), quad);
          },
        );
        k.x.add(from, b.vector);
        k.x.add(to, k.lanes * b.line);
      },
      true,
    );
  });
}

/** Headers of all rows, transposed: `use` takes dword `column` of 16, for row vector v. */
function transposeHeads(b: Batch, use: (column: number, v: number, vector: Vec) => void): void {
  const { k } = b;
  for (let v = 0; v < VECTORS; v++) {
    for (let first = 0; first < 16; first += k.lanes) {
      const row = (i: number): Memory => b.at('heads', (v * k.lanes + i) * HEAD + 4 * first);
      transpose(k, row, (column, vector) => use(first + column, v, vector));
    }
  }
}

/** Scales to i32; mins to pairs: of 16 columns each, or of 32 where both of a pair are equal. */
function transposeScales(b: Batch): void {
  const { k, unpack } = b;
  const line = (index: number, v: number): number => index * b.line + v * b.vector;
  transposeHeads(b, (column, v, pair) => {
    if (column < 8 && unpack.scaled === 32) {
      k.x.vpsrad(pair, pair, 16);
      k.x.vmovdqu_store(b.at('scales', line(column, v)), pair);
    } else if (column < 8 && unpack.scaled === 16) {
      k.scope(() => {
        const first = k.vec('first');
        k.x.vpslld(first, pair, 16);
        k.x.vpsrad(first, first, 16);
        k.x.vpsrad(pair, pair, 16);
        k.x.vmovdqu_store(b.at('scales', line(2 * column, v)), first);
        k.x.vmovdqu_store(b.at('scales', line(2 * column + 1, v)), pair);
      });
    } else if (column >= 8 && unpack.mins) k.x.vmovdqu_store(b.at('mins', line(column - 8, v)), pair);
  });
  if (unpack.mins && unpack.scaled === 32) joinMins(b);
}

/** Pairs (m0, m0), (m1, m1) become one pair (m0, m1): mins of 32 columns each. */
function joinMins(b: Batch): void {
  const { k } = b;
  k.scope(() => {
    const [low, high] = k.vecs('pair', 2);
    for (let i = 0; i < 4; i++) {
      for (let at = i * b.line; at < (i + 1) * b.line; at += b.vector) {
        k.x.vmovdqu(low, b.at('mins', at + i * b.line));
        k.x.vmovdqu(high, b.at('mins', at + (i + 1) * b.line));
        k.x.vpslld(low, low, 16);
        k.x.vpsrld(low, low, 16);
        k.x.vpslld(high, high, 16);
        k.x.vpor(low, low, high);
        k.x.vmovdqu_store(b.at('mins', at), low);
      }
    }
  });
}

/** d and dmin of eight blocks. */
function transposeSteps(b: Batch): void {
  transposeHeads(b, (column, v, vector) => {
    const part = column < 8 ? 'd' : 'dmin';
    if (part === 'dmin' && !b.unpack.mins) return;
    b.k.x.vmovdqu_store(b.at(part, (column % 8) * b.line + v * b.vector), vector);
  });
}

/** Where sums begin if every activation code has 128 added: at minus what codes of 0 would sum up to. */
function emitStart(b: Batch): void {
  const { k, unpack } = b;
  const span = unpack.block === 32 ? 32 : (unpack.scaled ?? 32);
  k.scope(() => {
    const products = new Products(k, 'turned');
    const sums = k.vecs('sum', VECTORS);
    const totals = k.vecs('total', VECTORS);
    const [panel, table, count] = ['panel', 'table', 'count'].map((name) => k.gpr(name));
    k.x.lea(panel, b.at('panel'));
    k.x.lea(table, b.at(unpack.block === 32 ? 'start' : 'scales'));
    k.x.mov(count, CHUNK / span);
    products.zeroCodes();
    k.zero(...totals);
    k.countdown(
      count,
      () => {
        k.zero(...sums);
        for (let i = 0; i < span / 4; i++) {
          products.weights((v) => mem(panel, i * b.line + v * b.vector));
          sums.forEach((sum, v) => void products.add(sum, v));
        }
        sums.forEach((sum, v) => {
          if (unpack.block === 32) {
            k.x.vpsubd(sum, totals[v], sum);
            k.x.vmovdqu_store(mem(table, v * b.vector), sum);
            return;
          }
          if (unpack.scaled) k.x.vpmulld(sum, sum, mem(table, v * b.vector));
          k.x.vpsubd(totals[v], totals[v], sum);
        });
        k.x.add(panel, (span / 4) * b.line);
        k.x.add(table, b.line);
      },
      true,
    );
    if (unpack.block === 32) return;
    totals.forEach((total, v) => void k.x.vmovdqu_store(b.at('start', v * b.vector), total));
  });
}
