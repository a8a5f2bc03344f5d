/**
 * Signs of codebook formats: a bit a weight, set where it is negative. Some formats store seven of eight and the last makes
 * their number even. Codes are 128 + value, so that turning the sign is taking them from 256.
 */
import type { KernelBuilder } from '../kernel.ts';
import type { Gpr, Mask, Memory, Register, Vec } from '../x64/index.ts';
import { masked, mem, rsp, xmm } from '../x64/index.ts';
import { eight } from './grid-parts.ts';

/** The code of a value, and what stands for 0. */
export const ZERO = 128;
export const signedCode = (value: number): number => ZERO + value;

/** Emits the sign bits of a chunk, the first weight's lowest, into a register: 64, or 32 on levels of 256 bits. */
export type SignBits = (k: KernelBuilder, block: Gpr, i: number, bits: Gpr) => void;

/** Turns the codes in `target` whose bit is set. Uses up `bits`. */
export function turnByBits(k: KernelBuilder, target: Vec, bits: Gpr): void {
  k.scope(() => {
    if (k.level.avx512) {
      const mask = k.registers.mask('signs');
      k.x.kmovq_from(mask, bits);
      turn(k, target, mask);
      return;
    }
    const signs = k.registers.ymm('signs');
    const spread = Uint8Array.from({ length: 32 }, (_, i) => i >> 3);
    const own = k.constant(Uint8Array.from({ length: 32 }, (_, i) => 1 << (i & 7)));
    k.x.vmovd(xmm(signs), bits);
    k.x.vpbroadcastd(signs, xmm(signs));
    k.x.vpshufb(signs, signs, k.constant(spread));
    k.x.vpand(signs, signs, own);
    k.x.vpcmpeqb(signs, signs, own);
    k.x.vpxor(target, target, signs);
    k.x.vpsubb(target, target, signs);
  });
}

/** Sign bits that are stored as they are from `disp` on. */
export function freeSigns(disp: number): SignBits {
  return (k, block, i, bits) => {
    if (k.level.avx512) k.x.mov(bits, mem(block, disp + 8 * i));
    else k.x.load32(bits, mem(block, disp + 4 * i));
  };
}

/** Four times seven bits as bytes, in the lower half of `bits`. */
export type StoredSeven = (k: KernelBuilder, block: Gpr, thirtyTwo: number, bits: Gpr) => void;

/** Sign bits of which every eighth is the parity of the seven before; `stored` brings those of 32 weights. */
export function evenSigns(stored: StoredSeven): SignBits {
  return (k, block, i, bits) =>
    k.scope(() => {
      if (k.level.avx512) {
        const upper = k.gpr('upper');
        stored(k, block, 2 * i + 1, upper);
        k.x.shl(upper, 32);
        stored(k, block, 2 * i, bits);
        k.x.or(bits, upper);
        k.free(upper);
      } else stored(k, block, i, bits);
      const parity = k.gpr('parity');
      const fold = k.gpr('fold');
      // Folds each byte onto its lowest bit; what comes over from the next byte stays above.
      k.x.mov(parity, bits);
      for (const step of [4, 2, 1]) {
        k.x.mov(fold, parity);
        k.x.shr(fold, step);
        k.x.xor(parity, fold);
      }
      k.x.and(parity, eight(k, 1));
      k.x.shl(parity, 7);
      k.x.or(bits, parity);
    });
}

/** The low 28 bits of the dword at `at`, seven a byte. */
export function sevenBits(k: KernelBuilder, bits: Gpr, at: Memory): void {
  k.x.load32(bits, at);
  k.x.pdep(bits, bits, eight(k, 127, 127, 127, 127, 0, 0, 0, 0));
}

/** Registers of the way with VBMI. */
export interface SignsKept {
  readonly [name: string]: Register;
  /** 32 bytes between rsp - 128 and rsp - 65, aligned: sign bits of a block on their way to masks. */
  readonly signs: Gpr;
}

export function keepSigns(k: KernelBuilder): SignsKept {
  const signs = k.gpr('signs');
  k.x.lea(signs, mem(rsp, -97));
  k.x.and(signs, -32);
  return { signs };
}

/** Turns the codes of chunk i by sign bits in memory. */
export function turnByMemory(k: KernelBuilder, target: Vec, at: Memory): void {
  const mask = k.registers.mask('signs');
  k.x.kmovq(mask, at);
  turn(k, target, mask);
  k.free(mask);
}

function turn(k: KernelBuilder, target: Vec, mask: Mask): void {
  const zero = k.vec('zero');
  k.zero(zero);
  k.x.vpsubb(masked(target, mask), zero, target);
  k.free(zero);
}

/**
 * A matrix for `vgf2p8affineqb`: of each byte the seven bits from `lowest` on, and above them their parity. Row of result
 * bit i is byte 7 - i.
 */
export function parityMatrix(k: KernelBuilder, lowest: 0 | 1): Memory {
  const rows = Array.from({ length: 8 }, (_, bit) => (bit === 7 ? 127 : 1 << bit) << lowest);
  return k.constant(Uint8Array.from({ length: 64 }, (_, i) => rows[7 - (i & 7)]));
}
