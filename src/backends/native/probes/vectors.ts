/**
 * Peak rates of vector units: multiply-adds on registers alone. So many independent sums that none waits for the one
 * before: latency (at most 5 cycles) times units (2).
 */
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import type { Vec } from '../x64/index.ts';
import { defineProbe } from './probe.ts';

const SUMS = 10;

/** A kernel that repeats `step` on every sum, `loops` times. */
function onSums(name: string, step: (k: KernelBuilder<'loops'>, sum: Vec, a: Vec, b: Vec) => void) {
  return defineKernel({
    name,
    args: ['loops'],
    emit: (k) => {
      const loops = k.int('loops');
      const sums = k.vecs('sum', SUMS);
      const [a, b] = k.vecs('factor', 2);
      k.zero(...sums, a, b);
      k.countdown(loops, () => {
        for (const sum of sums) step(k, sum, a, b);
      });
    },
  });
}

/** f32 fused multiply-adds. */
export const f32 = defineProbe({
  kernel: onSums('probe_f32', ({ x }, sum, a, b) => x.vfmadd231ps(sum, a, b)),
  operations: ({ bytes }) => (SUMS * 2 * bytes) / 4,
  runs: () => true,
});

/** Products of bytes into i32: vpdpbusd, or the three instructions that stand for it where there is none. */
export const int8 = defineProbe({
  kernel: onSums('probe_int8', (k, sum, a, b) => {
    if (k.level.vnni) {
      k.x.vpdpbusd(sum, a, b);
      return;
    }
    k.scope(() => {
      const pairs = k.vec('pairs');
      k.x.vpmaddubsw(pairs, a, b);
      k.x.vpmaddwd(pairs, pairs, b);
      k.x.vpaddd(sum, sum, pairs);
    });
  }),
  operations: ({ bytes }) => SUMS * 2 * bytes,
  runs: () => true,
});

/** Products of bf16 into f32. */
export const bf16 = defineProbe({
  kernel: onSums('probe_bf16', ({ x }, sum, a, b) => x.vdpbf16ps(sum, a, b)),
  operations: ({ bytes }) => (SUMS * 2 * bytes) / 2,
  runs: ({ avx512 }, features) => avx512 && features.avx512Bf16,
});
