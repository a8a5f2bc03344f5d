/**
 * How good an encoding is. With importance `v`, weights `x` and decoded weights `y`:
 * error E = sum v (x - y)^2 / sum v x^2; gain g = sum v x y / sum v x^2 (a least-squares fit shrinks: g < 1);
 * matched-gain error: E after scaling y by 1 / g, so that encoders of different gain compare fairly.
 */
export interface Quality {
  readonly error: number;
  readonly gain: number;
  readonly matchedError: number;
}

/** @param importance `[cols]`, or null for equal importance. Sums run over all rows, in f64. */
export function quality(
  x: Float32Array,
  y: Float32Array,
  cols: number,
  importance: Float32Array | null,
): Quality {
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (let i = 0; i < x.length; i++) {
    const v = importance ? importance[i % cols] : 1;
    xx += v * x[i] * x[i];
    xy += v * x[i] * y[i];
    yy += v * y[i] * y[i];
  }
  if (xx === 0) return { error: yy === 0 ? 0 : Number.POSITIVE_INFINITY, gain: 1, matchedError: 0 };
  const gain = xy / xx;
  return {
    error: (xx - 2 * xy + yy) / xx,
    gain,
    matchedError: gain === 0 ? 1 : yy / (gain * gain * xx) - 1,
  };
}
