/**
 * How machine code takes a block apart: one member a format. Products are written once over what a member supplies:
 * codes as unsigned bytes, and integers that scale them. Weight i of a block is
 *
 *     d * scale[i / 16] * (code[i] - offset) - dmin * min[i / 16]
 *
 * with d and dmin f32, scales and mins i16, codes u8. Where a format has no scales or mins inside a block they are 1 and 0
 * and the member says so. A code times its scale is at most 4096 in magnitude once the offset is taken off.
 *
 * A member reads no byte outside the block: the last block of a mapped file may end where its last page does.
 */
import type { KernelBuilder } from '../kernel.ts';
import type { Gpr, Memory, Register, Vec } from '../x64/index.ts';

/** What the begin of a block leaves in registers, which the caller gives back. */
export interface Header {
  /** Lane 0: f32. */
  readonly d: Register<'xmm'>;
  /** Lane 0: f32; only where the format has mins. */
  readonly dmin?: Register<'xmm'>;
  /** 16 i16, one per 16 weights; only where the format has scales. Blocks of 32 have none. */
  readonly scales?: Register<'ymm'>;
  /** 16 i16, one per 16 weights; only where the format has mins. In blocks of 32 the min is 1. */
  readonly mins?: Register<'ymm'>;
}

/** Registers that hold constants through a whole kernel. */
export type Kept = Readonly<Record<string, Register>>;

/** A member may use the bytes from rsp - 128 to rsp - 65, from `share` to the block's last `codes`. */
export interface Unpack<K extends Kept = Kept, S extends Kept = Kept> {
  /** Of `FORMATS`. */
  readonly format: string;
  readonly blockBytes: number;
  /** Weights of a block: they share d. */
  readonly block: 256 | 32;
  /** Taken off each code: 128 where codes are signed bytes with their sign turned. */
  readonly offset: number;
  /** The largest code. */
  readonly most: number;
  /** Weights that share a scale; undefined where all scales are 1. */
  readonly scaled: 16 | 32 | undefined;
  /** The largest magnitude of a scale. */
  readonly mostScale: number;
  readonly mins: boolean;
  /** Emits, before all loops, what sets constants up. As few vector registers as speed allows. */
  setup(k: KernelBuilder): K;
  /** Emits the header of the block at `block`. It may use any register that is free, and frees what it does not return. */
  header(k: KernelBuilder, block: Gpr, kept: K): Header;
  /**
   * Emits code that leaves the codes of weights n i .. n (i + 1) in `target`, one a byte, in the weights' order.
   * n is 64 on levels of 512 bits (`target` a zmm), 32 on levels of 256 bits (`target` a ymm) and for blocks of 32 always
   * (`target` a ymm, i is 0). Called in ascending order of i; registers that it takes it gives back.
   * @param shared what `share` returned for this block; nothing without `share`.
   */
  codes(k: KernelBuilder, block: Gpr, i: number, target: Vec, kept: K, shared: S): void;
  /** Emits what several calls of `codes` for one block use, for example high bits that are loaded once. */
  share?(k: KernelBuilder, block: Gpr, kept: K): S;
  /** A faster product of one token. */
  readonly dot?: BlockDot;
}

/** Operands of `BlockDot`, as memory. */
export interface DotOperands {
  readonly planes: 1 | 2;
  /** i8 codes of chunk c: eight of each 32 columns, 32 q + 8 c and on in quad q. */
  codes(plane: number, chunk: number): Memory;
  /** 32 i16: the sums of every eight codes, in the order of columns. */
  sums(plane: number): Memory;
}

/**
 * A product with activations that may be faster than by `codes`, for levels with VBMI and blocks of 256. Columns stand in
 * another order, so that the lanes of a vector add up what shares a scale, and the scales are applied once a block.
 */
export interface BlockDot<K extends Kept = Kept> {
  /** Whether it takes `DotOperands.sums`. */
  readonly sums: boolean;
  setup(k: KernelBuilder): K;
  /** Emits the factor of a block: f32 in lane 0. */
  d(k: KernelBuilder, block: Gpr): Register<'xmm'>;
  /** Emits the i32 lanes of each plane into `totals`: their sum times `d` is the product with the codes. */
  emit(k: KernelBuilder, block: Gpr, x: DotOperands, totals: readonly Vec[], kept: K): void;
}

export function defineDot<K extends Kept>(dot: BlockDot<K>): BlockDot {
  return dot as BlockDot;
}

export function defineUnpack<K extends Kept, S extends Kept>(unpack: Unpack<K, S>): Unpack<K, S> {
  return unpack;
}
