/** What this machine can do at most in WebAssembly, measured: the ceilings of the matrix products. One thread. */
import asc from 'assemblyscript/asc';

const SOURCE = `
/** A tile of four weight rows by two tokens whose operands stay in L1: 2048 multiply-adds a round. */
export function multiplyAdds(p: usize, rounds: i32): i32 {
  let a = i32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
  for (; rounds > 0; rounds--) {
    for (let q = p, end = p + 512; q < end; q += 16) {
      const x = v128.load(q), y = v128.load(q, 576);
      let w = v128.load(q, 2112);
      a = i32x4.add(a, i32x4.dot_i16x8_s(w, x)); b = i32x4.add(b, i32x4.dot_i16x8_s(w, y));
      w = v128.load(q, 4224);
      c = i32x4.add(c, i32x4.dot_i16x8_s(w, x)); d = i32x4.add(d, i32x4.dot_i16x8_s(w, y));
      w = v128.load(q, 6336);
      e = i32x4.add(e, i32x4.dot_i16x8_s(w, x)); f = i32x4.add(f, i32x4.dot_i16x8_s(w, y));
      w = v128.load(q, 8448);
      g = i32x4.add(g, i32x4.dot_i16x8_s(w, x)); h = i32x4.add(h, i32x4.dot_i16x8_s(w, y));
    }
  }
  const all = i32x4.add(i32x4.add(i32x4.add(a, b), i32x4.add(c, d)), i32x4.add(i32x4.add(e, f), i32x4.add(g, h)));
  return i32x4.extract_lane(all, 0);
}
export function read(p: usize, bytes: usize): i32 {
  let a = i32x4.splat(0), b = a, c = a, d = a;
  for (const end = p + bytes; p < end; p += 64) {
    a = i32x4.add(a, v128.load(p)); b = i32x4.add(b, v128.load(p, 16));
    c = i32x4.add(c, v128.load(p, 32)); d = i32x4.add(d, v128.load(p, 48));
  }
  return i32x4.extract_lane(i32x4.add(i32x4.add(a, b), i32x4.add(c, d)), 0);
}`;

/** Bytes that are read: more than any cache holds. Read in pieces, of which the fastest counts. */
const BYTES = 512 << 20;
const PIECE = 16 << 20;
const ROUNDS = 2000;

/** Seconds of the fastest of `count` calls. */
function fastest(count, call) {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    call(i);
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

/** 16-bit multiply-adds in G a second, and GB a second from memory. */
export async function machineLimits() {
  const { binary, stderr } = await asc.compileString(SOURCE, {
    ...{ optimizeLevel: 3, runtime: 'stub', enable: ['simd'], importMemory: true, noAssert: true },
  });
  if (!binary) throw new Error(String(stderr));
  const memory = new WebAssembly.Memory({ initial: BYTES >> 16 });
  const abort = () => {
    throw new Error('a kernel aborted');
  };
  const { instance } = await WebAssembly.instantiate(binary, { env: { memory, abort } });
  const { multiplyAdds, read } = instance.exports;
  new Uint8Array(memory.buffer).fill(1); // untouched pages would all be one page of zeros
  const macs = fastest(300, () => multiplyAdds(0, ROUNDS));
  const seconds = fastest((3 * BYTES) / PIECE, (i) => read((i * PIECE) % BYTES, PIECE));
  return { gmacs: (2048 * ROUNDS) / macs / 1e9, gbs: PIECE / seconds / 1e9 };
}
