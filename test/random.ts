/** Seeded random numbers, so that every run of a test sees the same data. */

/** Uniform numbers in (0, 1); mulberry32. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (((x ^ (x >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
}

/** Standard normal numbers (Box-Muller). */
export function normal(seed: number): () => number {
  const random = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
}

/** Student-t numbers with `freedom` degrees of freedom: heavy tails, as trained weights have. */
export function studentT(seed: number, freedom = 5): () => number {
  const gauss = normal(seed);
  return () => {
    let chi = 0;
    for (let i = 0; i < freedom; i++) chi += gauss() ** 2;
    return gauss() / Math.sqrt(chi / freedom);
  };
}

/** `n` values of a generator as f32, scaled. */
export function sample(n: number, next: () => number, scale = 1): Float32Array {
  return Float32Array.from({ length: n }, () => scale * next());
}

/** Importance per column: lognormal with spread `sigma`, and a share of outlier columns 100 times heavier. */
export function importance(cols: number, seed: number, sigma = 0.5, outliers = 0): Float32Array {
  const gauss = normal(seed);
  const random = uniform(seed + 1);
  return Float32Array.from(
    { length: cols },
    () => Math.exp(sigma * gauss()) * (random() < outliers ? 100 : 1),
  );
}
