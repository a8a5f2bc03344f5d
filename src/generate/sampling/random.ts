/** Random numbers that are the same everywhere for the same seed: xoshiro128** by Blackman and Vigna. */

/** Turns a seed into well-mixed words (splitmix32). */
function words(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
}

const rotate = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** @param seed any integer; the lowest 53 bits count. @returns numbers in [0, 1) with 53 bits. */
export function seededRandom(seed: number): () => number {
  // The upper bits go in last, so that seeds below 2^32 and above it never meet.
  const low = words(seed >>> 0);
  const high = words(Math.floor(seed / 2 ** 32) >>> 0);
  const s = Uint32Array.from({ length: 4 }, () => low() ^ rotate(high(), 7));
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 11);
    return result;
  };
  return () => (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53;
}
