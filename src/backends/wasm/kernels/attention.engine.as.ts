/**
 * Causal attention over cached keys and values, in f32, span by span: each span has a region of the caches of its own,
 * and is cut into pieces as if it were alone. Letters: T query positions, H heads, K key-value heads, D head size, P
 * positions.
 *
 * The H/K heads that share a key-value head are rows of one problem, position by position: row r is head r % (H/K) of
 * its group at query position r / (H/K). A piece of work is some rows of one key-value head; threads claim pieces, the
 * longest first. Keys and values become f32 in tiles of `TILE_KEYS` positions, which all rows of the piece then share.
 * Pieces and tiles are cut alike whatever the threads are, so results do not depend on them. A row that has a tile to
 * itself, as in generation, is summed in another order than one that shares it.
 */
import { COLUMN_STEP, LEAST_PIECES, TILE_KEYS } from './attention-tiles.as';
import { allFinite, readRows } from './cache-rows.as';
import { CACHE_F16, CACHE_Q8_0, Q8_BLOCK, Q8_BYTES } from './cache-types.as';
import { exp4 } from './exp.as';
import { addHalves, scoreHalves } from './half-row.as';
import { addBlocks, scoreBlocks } from './q8-row.as';
import { product, transpose } from './small-product.as';
import { exponentials, largest, mask, scaleRow } from './softmax.as';
import { SPAN_BYTES, SPAN_FIRST, SPAN_PAST, SPAN_ROWS, SPAN_START } from './spans-layout.as';
import { claim } from './work.as';

/** Bytes of a row of scores of one tile. */
const SCORES: usize = TILE_KEYS << 2;

/** Columns of a head in scratch. */
function paddedSize(size: i32): i32 {
  return (size + COLUMN_STEP - 1) & -COLUMN_STEP;
}

/** Copies the query rows `first .. first + m` of key-value head `head`, times `scale`, to `dst` [m, padded]. */
function gatherQueries(
  q: usize, stride: usize, head: i32, group: i32, first: i32, m: i32, size: i32, scale: f32, dst: usize,
): void {
  const padded = paddedSize(size);
  for (let row = first; row < first + m; row++, dst += <usize>padded << 2) {
    const src = q + <usize>(row / group) * stride + (<usize>((head * group + (row % group)) * size) << 2);
    memory.fill(dst, 0, <usize>padded << 2);
    memory.copy(dst, src, <usize>size << 2);
    scaleRow(dst, padded, scale);
  }
}

/** Divides rows of `sums` [m, padded] by the sums of their weights and writes them to their places in `out`. */
function scatterResults(
  sums: usize, totals: usize, head: i32, group: i32, first: i32, m: i32, size: i32, out: usize, stride: usize,
): void {
  const padded = paddedSize(size);
  for (let row = first; row < first + m; row++, sums += <usize>padded << 2, totals += 4) {
    const total = v128.load32_splat(totals);
    for (let at = sums, end = sums + (<usize>padded << 2); at < end; at += 16) {
      v128.store(at, f32x4.div(v128.load(at), total));
    }
    const dst = out + <usize>(row / group) * stride + (<usize>((head * group + (row % group)) * size) << 2);
    memory.copy(dst, sums, <usize>size << 2);
  }
}

/** `n` rows of a cache to `tile` [n, padded], and zeros up to a multiple of four rows. */
function readTile(type: i32, src: usize, bytes: usize, head: i32, size: i32, n: i32, tile: usize): void {
  const stride = <usize>paddedSize(size) << 2;
  readRows(type, src, bytes, head * size, size, n, tile, stride);
  memory.fill(tile + n * stride, 0, ((n + 3) & -4) * stride - n * stride);
}

/** Bytes from a row's begin to a column of its, where a block begins. */
function headOffset(type: i32, column: i32): usize {
  return <usize>(type == CACHE_F16 ? 2 * column : (column / Q8_BLOCK) * Q8_BYTES);
}

/** Whether one row can do without a tile: `n` rows of a head in whole vectors or blocks. */
function isDirect(type: i32, at: usize, bytes: usize, size: i32, n: i32): bool {
  if (type == CACHE_F16) return size % 8 == 0 && allFinite(at, bytes, size, n);
  return type == CACHE_Q8_0 && size % Q8_BLOCK == 0;
}

/** Scores [m, a tile] of queries [m, padded] with `n` keys from `src` on; `tile` is room for two tiles. */
function scoreTile(
  queries: usize, m: i32, type: i32, src: usize, bytes: usize, head: i32, size: i32, n: i32, tile: usize,
  scores: usize, scoreStride: usize,
): void {
  if (m == 1) {
    const at = src + headOffset(type, head * size);
    if (isDirect(type, at, bytes, size, n)) {
      if (type == CACHE_F16) scoreHalves(queries, at, bytes, n, size, scores);
      else scoreBlocks(queries, at, bytes, n, size, scores);
      return;
    }
  }
  const padded = paddedSize(size), stride = <usize>padded << 2, turned = tile + TILE_KEYS * stride;
  readTile(type, src, bytes, head, size, n, tile);
  transpose(tile, stride, turned, SCORES, (n + 3) & -4, padded);
  product(queries, stride, turned, SCORES, scores, scoreStride, m, TILE_KEYS, padded, false);
}

/** Adds `n` values from `src` on, weighted by `weights` [m, a tile], to sums [m, padded]. */
function addTile(
  weights: usize, weightStride: usize, m: i32, type: i32, src: usize, bytes: usize, head: i32, size: i32, n: i32,
  tile: usize, sums: usize,
): void {
  if (m == 1) {
    const at = src + headOffset(type, head * size);
    if (isDirect(type, at, bytes, size, n)) {
      if (type == CACHE_F16) addHalves(weights, at, bytes, n, size, sums);
      else addBlocks(weights, at, bytes, n, size, sums);
      return;
    }
  }
  const padded = paddedSize(size), stride = <usize>padded << 2;
  readTile(type, src, bytes, head, size, n, tile);
  product(weights, weightStride, tile, stride, sums, stride, m, padded, (n + 3) & -4, true);
}

/**
 * Rows of a piece of a span of `rows` tokens: a multiple of four, the rows that a kernel takes together. Short spans make
 * pieces enough for several threads, the same whatever the threads are.
 */
function rowsOfPiece(rows: i32, heads: i32, most: i32): i32 {
  const share = (rows * heads + LEAST_PIECES - 1) / LEAST_PIECES;
  return min(most, (share + 3) & ~3);
}

/** The first position that a piece looks at: a multiple of the tile size. */
function firstPosition(position: i32, window: i32): i32 {
  return window > 0 ? max(position - window + 1, 0) & -TILE_KEYS : 0;
}

/**
 * Tile by tile with a running maximum: when it grows, what was summed shrinks by e^(old - new).
 *
 * @param q queries [T, H * D]; `out` likewise; strides in bytes.
 * @param keys rows of K * D in the cache's type, `keyBytes` each; values likewise.
 * @param most rows of a piece at most. Scratch: so many times queries, sums (padded D each), scores (a tile), maximum
 *   and total; twice a tile of padded D.
 * @param span table of `spans` spans.
 */
export function attention_flash(
  thread: i32, threads: i32, scratch: usize, counter: usize, q: usize, qStride: usize, out: usize, outStride: usize,
  keys: usize, keyType: i32, keyBytes: usize, values: usize, valueType: i32, valueBytes: usize,
  heads: i32, kvHeads: i32, size: i32, window: i32, scale: f32, most: i32, span: usize, spans: i32,
): void {
  const group = heads / kvHeads;
  const padded = paddedSize(size), stride = <usize>padded << 2;
  const sums = scratch + most * stride;
  const tile = sums + most * stride;
  const scores = tile + 2 * TILE_KEYS * stride;
  const totals = scores + most * SCORES, tops = totals + (<usize>most << 2);
  memory.fill(tile, 0, TILE_KEYS * stride);
  let piece = claim(counter), before = 0;
  for (const last = span + <usize>spans * SPAN_BYTES; span < last; span += SPAN_BYTES) {
    const positions = load<i32>(span, SPAN_ROWS), past = load<i32>(span, SPAN_PAST);
    const rows = rowsOfPiece(positions, heads, most), tiles = (group * positions + rows - 1) / rows;
    const token = <usize>load<i32>(span, SPAN_FIRST), region = <usize>load<i32>(span, SPAN_START);
    const spanQ = q + token * qStride, spanOut = out + token * outStride;
    const spanKeys = keys + region * keyBytes, spanValues = values + region * valueBytes;
    for (; piece - before < tiles * kvHeads; piece = claim(counter)) {
      const head = (piece - before) % kvHeads, first = (tiles - 1 - (piece - before) / kvHeads) * rows;
      const m = min(rows, group * positions - first);
      gatherQueries(spanQ, qStride, head, group, first, m, size, scale, scratch);
      memory.fill(sums, 0, m * stride);
      memory.fill(totals, 0, <usize>m << 2);
      for (let row = 0; row < m; row++) store<f32>(tops + (<usize>row << 2), -Infinity);
      const end = past + (first + m - 1) / group + 1;
      for (let at = firstPosition(past + first / group, window); at < end; at += TILE_KEYS) {
        const n = min(TILE_KEYS, end - at);
        // Rows before this one are at positions before the tile; a multiple of four, so as not to split a block.
        const from = max((at - past) * group - first, 0) & -4;
        const q0 = scratch + from * stride, sums0 = sums + from * stride, scores0 = scores + from * SCORES;
        const key = spanKeys + <usize>at * keyBytes, value = spanValues + <usize>at * valueBytes;
        scoreTile(q0, m - from, keyType, key, keyBytes, head, size, n, tile, scores0, SCORES);
        for (let row = from; row < m; row++) {
          const position = past + (first + row) / group;
          const low = window > 0 ? position - window + 1 - at : 0, high = min(position + 1 - at, n), o = <usize>row << 2;
          fold(scores + row * SCORES, low, high, tops + o, totals + o, sums + row * stride, padded);
        }
        addTile(scores0, SCORES, m - from, valueType, value, valueBytes, head, size, n, tile, sums0);
      }
      scatterResults(sums, totals, head, group, first, m, size, spanOut, outStride);
    }
    before += tiles * kvHeads;
  }
}

/** Scores of one row and tile to weights, relative to the largest score so far; the row's sums follow. */
function fold(scores: usize, low: i32, high: i32, top: usize, total: usize, sums: usize, padded: i32): void {
  if (low >= high) {
    memory.fill(scores, 0, SCORES);
    return;
  }
  mask(scores, TILE_KEYS, low, high);
  const old = load<f32>(top);
  const now = max(old, largest(scores, TILE_KEYS));
  const sum = exponentials(scores, TILE_KEYS, now);
  if (now != old) {
    const factor = f32x4.extract_lane(exp4(f32x4.splat(old - now)), 0);
    store<f32>(top, now);
    store<f32>(total, load<f32>(total) * factor);
    scaleRow(sums, padded, factor);
  }
  store<f32>(total, load<f32>(total) + sum);
}

/**
 * All scores of a row, their softmax, then the weighted sum of the values; arguments as in `attention_flash`.
 *
 * @param width room for scores of a row: P rounded up to whole tiles. Scratch: `most` times queries, sums (padded D
 *   each), scores (`width`) and total; twice a tile of padded D.
 */
export function attention_eager(
  thread: i32, threads: i32, scratch: usize, counter: usize, q: usize, qStride: usize, out: usize, outStride: usize,
  keys: usize, keyType: i32, keyBytes: usize, values: usize, valueType: i32, valueBytes: usize,
  heads: i32, kvHeads: i32, size: i32, window: i32, scale: f32, most: i32, span: usize, spans: i32, width: i32,
): void {
  const group = heads / kvHeads;
  const padded = paddedSize(size), stride = <usize>padded << 2;
  const sums = scratch + most * stride;
  const tile = sums + most * stride;
  const scores = tile + 2 * TILE_KEYS * stride, scoreStride = <usize>width << 2;
  const totals = scores + most * scoreStride;
  memory.fill(tile, 0, TILE_KEYS * stride);
  let piece = claim(counter), before = 0;
  for (const last = span + <usize>spans * SPAN_BYTES; span < last; span += SPAN_BYTES) {
    const positions = load<i32>(span, SPAN_ROWS), past = load<i32>(span, SPAN_PAST);
    const rows = rowsOfPiece(positions, heads, most), tiles = (group * positions + rows - 1) / rows;
    const token = <usize>load<i32>(span, SPAN_FIRST), region = <usize>load<i32>(span, SPAN_START);
    const spanQ = q + token * qStride, spanOut = out + token * outStride;
    const spanKeys = keys + region * keyBytes, spanValues = values + region * valueBytes;
    for (; piece - before < tiles * kvHeads; piece = claim(counter)) {
      const head = (piece - before) % kvHeads, first = (tiles - 1 - (piece - before) / kvHeads) * rows;
      const m = min(rows, group * positions - first);
      gatherQueries(spanQ, qStride, head, group, first, m, size, scale, scratch);
      const start = firstPosition(past + first / group, window), end = past + (first + m - 1) / group + 1;
      for (let at = start; at < end; at += TILE_KEYS) {
        const n = min(TILE_KEYS, end - at), to = scores + (<usize>(at - start) << 2);
        scoreTile(scratch, m, keyType, spanKeys + <usize>at * keyBytes, keyBytes, head, size, n, tile, to, scoreStride);
      }
      const used = (end - start + TILE_KEYS - 1) & -TILE_KEYS;
      for (let row = 0; row < m; row++) {
        const position = past + (first + row) / group, at = scores + row * scoreStride;
        mask(at, used, window > 0 ? position - window + 1 - start : 0, position + 1 - start);
        store<f32>(totals + (<usize>row << 2), exponentials(at, used, largest(at, used)));
      }
      memory.fill(sums, 0, m * stride);
      for (let at = start; at < end; at += TILE_KEYS) {
        const n = min(TILE_KEYS, end - at), from = scores + (<usize>(at - start) << 2);
        addTile(from, scoreStride, m, valueType, spanValues + <usize>at * valueBytes, valueBytes, head, size, n, tile, sums);
      }
      scatterResults(sums, totals, head, group, first, m, size, spanOut, outStride);
    }
    before += tiles * kvHeads;
  }
}
