/** Rotary position embedding: pairs of columns of each head turn by the angle of their position. */
import { claim, rowAt } from './work.as';

/** Turns the pairs (x[i], x[i + half]), i < half. */
function turnHalves(x: usize, out: usize, cos: usize, sin: usize, half: i32): void {
  const bytes = <usize>half << 2;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const a = v128.load(x + at);
    const b = v128.load(x + bytes + at);
    const c = v128.load(cos + at);
    const s = v128.load(sin + at);
    v128.store(out + at, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
    v128.store(out + bytes + at, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
  }
  for (; at < bytes; at += 4) {
    const a = load<f32>(x + at);
    const b = load<f32>(x + bytes + at);
    const c = load<f32>(cos + at);
    const s = load<f32>(sin + at);
    store<f32>(out + at, a * c - b * s);
    store<f32>(out + bytes + at, b * c + a * s);
  }
}

/** Turns the pairs (x[2i], x[2i + 1]), i < half. */
function turnNeighbours(x: usize, out: usize, cos: usize, sin: usize, half: i32): void {
  for (let i = 0; i < half; i++) {
    const at = <usize>i << 2;
    const a = load<f32>(x + 2 * at);
    const b = load<f32>(x + 2 * at, 4);
    const c = load<f32>(cos + at);
    const s = load<f32>(sin + at);
    store<f32>(out + 2 * at, a * c - b * s);
    store<f32>(out + 2 * at, b * c + a * s, 4);
  }
}

/**
 * x and out [rows, heads * size], cos and sin [rows, half]; columns from `2 * half` of each head are copied.
 * @param neox 1: column i pairs with i + half; 0: column 2i with 2i + 1.
 */
export function rope(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  x: usize, xStride: i32, cos: usize, cosStride: i32, sin: usize, sinStride: i32, out: usize, outStride: i32,
  rows: i32, heads: i32, size: i32, half: i32, neox: i32,
): void {
  for (let row = claim(counter); row < rows; row = claim(counter)) {
    const c = rowAt(cos, row, cosStride);
    const s = rowAt(sin, row, sinStride);
    for (let head = 0; head < heads; head++) {
      const source = rowAt(x, row, xStride) + (<usize>(head * size) << 2);
      const target = rowAt(out, row, outStride) + (<usize>(head * size) << 2);
      if (neox) turnHalves(source, target, c, s, half);
      else turnNeighbours(source, target, c, s, half);
      const turned = <usize>half << 3;
      if (half * 2 < size) memory.copy(target + turned, source + turned, (<usize>size << 2) - turned);
    }
  }
}
