/** Logarithms of one f64 number, for losses: a few steps a row, so nothing is vectorized. */
import type { KernelBuilder } from '../kernel.ts';
import type { Memory, Register } from '../x64/index.ts';

type Scalar = Register<'xmm'>;

/** A constant of 8 bytes. */
export function f64(k: KernelBuilder, value: number): Memory {
  return k.constant(new Uint8Array(Float64Array.of(value).buffer));
}

/** Upper half of the bits of sqrt(1/2). */
const SQRT_HALF = 0x3fe6a09e;
/** Terms of the series: s is at most 0.1716, so what follows is below 2^-56. */
const TERMS = 11;

/**
 * Emits x = ln x for a finite x > 0 that is not subnormal; NaN stays NaN. Relative error at most 1e-15, also near 1:
 * x = 2^n m with m about 1, s = (m - 1) / (m + 1), ln m = 2 (s + s^3/3 + s^5/5 ...).
 */
export function log(k: KernelBuilder, x: Scalar): void {
  const [m, s, sum] = ['m', 's', 'sum'].map((name) => k.registers.xmm(name));
  const [bits, n, shifted] = ['bits', 'n', 'shifted'].map((name) => k.gpr(name));
  k.x.vmovq_store(bits, x);
  k.x.vsubsd(x, x, x); // 0, or NaN: added at the end
  k.x.mov(shifted, SQRT_HALF);
  k.x.shl(shifted, 32);
  k.x.mov(n, bits);
  k.x.sub(n, shifted);
  k.x.sar(n, 52);
  k.x.mov(shifted, n);
  k.x.shl(shifted, 52);
  k.x.sub(bits, shifted);
  k.x.vmovq(m, bits);
  k.x.vsubsd(s, m, f64(k, 1));
  k.x.vaddsd(m, m, f64(k, 1));
  k.x.vdivsd(s, s, m);
  k.x.vmulsd(m, s, s);
  k.x.vmovsd(sum, f64(k, 1 / (2 * TERMS + 1)));
  for (let i = TERMS - 1; i >= 0; i--) k.x.vfmadd213sd(sum, m, f64(k, 1 / (2 * i + 1)));
  k.x.vaddsd(s, s, s);
  k.x.vmulsd(sum, sum, s);
  k.x.vcvtsi2sd(m, m, n);
  k.x.vfmadd231sd(sum, m, f64(k, Math.LN2));
  k.x.vaddsd(x, x, sum);
  k.free(m, s, sum, bits, n, shifted);
}

/** Emits y = ln(1 + y) for a finite y > -1; NaN stays NaN. Exact near 0, too: ln(u) y / (u - 1) with u = 1 + y rounded. */
export function log1p(k: KernelBuilder, y: Scalar): void {
  const [u, less] = [k.registers.xmm('u'), k.registers.xmm('u - 1')];
  k.x.vaddsd(u, y, f64(k, 1));
  k.x.vsubsd(less, u, f64(k, 1));
  k.x.vucomisd(less, f64(k, 0));
  // Equal, not unordered: 1 + y is 1, so y is the result.
  const done = k.label();
  const differs = k.label();
  k.j('p', differs);
  k.j('e', done);
  k.bind(differs);
  log(k, u);
  k.x.vmulsd(u, u, y);
  k.x.vdivsd(y, u, less);
  k.bind(done);
  k.free(u, less);
}
