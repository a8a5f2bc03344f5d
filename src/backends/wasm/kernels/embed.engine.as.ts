/** Rows of the token embedding, from any format that the engine multiplies, as f32. */
import { f16ToF32 } from '../../../kernels/half.as';
import { claim, rowAt } from './work.as';

/** Row number of output row `row`; traps unless it is below `limit`. */
function tokenAt(tokens: usize, stride: i32, row: i32, limit: i32): usize {
  const token = load<u32>(rowAt(tokens, row, stride));
  if (token >= <u32>limit) unreachable();
  return token;
}

/** out[t] = weight[tokens[t]]; weight f32 [limit, cols]. */
export function embed_f32(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  tokens: usize, tokenStride: i32, weight: usize, rowBytes: i32, out: usize, outStride: i32,
  rows: i32, cols: i32, limit: i32,
): void {
  for (let row = claim(counter); row < rows; row = claim(counter)) {
    const source = weight + tokenAt(tokens, tokenStride, row, limit) * <usize>rowBytes;
    memory.copy(rowAt(out, row, outStride), source, <usize>cols << 2);
  }
}

/** The same from f16. */
export function embed_f16(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  tokens: usize, tokenStride: i32, weight: usize, rowBytes: i32, out: usize, outStride: i32,
  rows: i32, cols: i32, limit: i32,
): void {
  for (let row = claim(counter); row < rows; row = claim(counter)) {
    const source = weight + tokenAt(tokens, tokenStride, row, limit) * <usize>rowBytes;
    const target = rowAt(out, row, outStride);
    for (let c = 0; c < cols; c++) {
      store<f32>(target + (<usize>c << 2), f16ToF32(<u32>load<u16>(source + (<usize>c << 1))));
    }
  }
}

/** The same from bf16. */
export function embed_bf16(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  tokens: usize, tokenStride: i32, weight: usize, rowBytes: i32, out: usize, outStride: i32,
  rows: i32, cols: i32, limit: i32,
): void {
  for (let row = claim(counter); row < rows; row = claim(counter)) {
    const source = weight + tokenAt(tokens, tokenStride, row, limit) * <usize>rowBytes;
    const target = rowAt(out, row, outStride);
    for (let c = 0; c < cols; c++) {
      store<u32>(target + (<usize>c << 2), <u32>load<u16>(source + (<usize>c << 1)) << 16);
    }
  }
}

/**
 * The same from blocks of integers: expanded into scratch, then scaled.
 * @param slot the format's expand kernel; @param group weights that share a scale; @param mins 1: the format has them.
 */
export function embed_blocks(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  tokens: usize, tokenStride: i32, weight: usize, rowBytes: i32, out: usize, outStride: i32,
  rows: i32, cols: i32, limit: i32, slot: i32, blocks: i32, group: i32, mins: i32,
): void {
  const scales = scratch + (<usize>cols << 1);
  const minima = scales + (<usize>(cols / group) << 3);
  for (let row = claim(counter); row < rows; row = claim(counter)) {
    const source = weight + tokenAt(tokens, tokenStride, row, limit) * <usize>rowBytes;
    call_indirect<void>(slot, source, blocks, scratch, scales, minima);
    scaleRow(scratch, scales, minima, rowAt(out, row, outStride), cols, group, mins);
  }
}

/** d * c - dmin * m; sixteen weights share a min at least. */
function scaleRow(codes: usize, scales: usize, minima: usize, out: usize, cols: i32, group: i32, mins: i32): void {
  for (let from = 0; from < cols; from += 16) {
    const pair = scales + (<usize>(from / group) << 3);
    const d = f32x4.splat(load<f32>(pair));
    let less: f32 = 0;
    if (mins) {
      const m: f32 = group == 256 ? <f32>load<i16>(minima + (<usize>(from / 16) << 1)) : 1;
      less = load<f32>(pair, 4) * m;
    }
    for (let c = from; c < from + 16; c += 4) {
      const code = f32x4.convert_i32x4_s(v128.load16x4_s(codes + (<usize>c << 1)));
      v128.store(out + (<usize>c << 2), f32x4.sub(f32x4.mul(code, d), f32x4.splat(less)));
    }
  }
}
