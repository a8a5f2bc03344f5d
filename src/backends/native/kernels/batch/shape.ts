/**
 * Sizes of a product of many tokens, and where its parts lie in a thread's scratch. A panel is two vectors of weight rows:
 * rows are lanes. It is taken apart in chunks of 256 columns, which stay in the first cache while all tokens pass by.
 *
 * Letters: P rows of a panel, L lanes of a vector, k quads of columns.
 */
import type { KernelBuilder } from '../../kernel.ts';
import type { Level } from '../../level.ts';
import type { Unpack } from '../../unpack/unpack.ts';
import { type Gpr, type Memory, mem } from '../../x64/index.ts';

/** Columns of a chunk. */
export const CHUNK = 256;
/** Vectors of rows in a panel. */
export const VECTORS = 2;
/** Tokens whose sums a thread holds; more pass in several rounds, each of which expands the weights again. */
export const ROUND = 512;

/** Tokens of a tile: with two vectors of rows, two sums each and what feeds them that fills the registers. */
export function tileTokens({ avx512, vnni }: Level): number {
  if (avx512) return 6;
  return vnni ? 3 : 2;
}

/** Rows of a panel. */
export const panelRows = (level: Level): number => (VECTORS * level.bytes) / 4;

/** What the frame holds: the arguments and the state of the outer loops, 8 bytes each. */
export const BATCH_ARGS = [
  'weights',
  'rows',
  'cols',
  'codes',
  'codeStride',
  'sums',
  'sumStride',
  'scales',
  'scaleStride',
  'planes',
  'tokens',
  'y',
  'yStride',
] as const;

const STATE = [
  'counter',
  'threads',
  'rowBytes',
  'rowsLeft',
  'panelAt',
  'panelY',
  'blockAt',
  'ahead',
  'column',
  'blocks',
  'token',
  'round',
  'plane',
  'left',
  'codeAt',
  'sumAt',
  'scaleAt',
  'totalAt',
] as const;

export type BatchArg = (typeof BATCH_ARGS)[number];
export type Slot = BatchArg | (typeof STATE)[number];

const SLOTS: readonly Slot[] = [...STATE, ...BATCH_ARGS];

/** Offsets into the scratch. */
export interface Scratch {
  /** u8 [P][256]: codes, row by row, as the unpacker gives them. */
  readonly stage: number;
  /** [P][64 bytes]: 16 i16 scales and 16 i16 mins, or 8 f32 d and 8 f32 dmin. */
  readonly heads: number;
  /** Bytes [64 k][P][4]: what is multiplied. */
  readonly panel: number;
  /** i32 [16][P]. */
  readonly scales: number;
  /** i16 [8][P][2]. */
  readonly mins: number;
  /** f32 [8][P]; in blocks of 256 the first alone. */
  readonly d: number;
  readonly dmin: number;
  /** i32 [8][P]: where the sums begin; in blocks of 256 the first alone. */
  readonly start: number;
  /** [tokens of a tile][32 bytes]: sums of activations as the mins want them. */
  readonly folded: number;
  /** f32 [512][P]. */
  readonly totals: number;
  readonly bytes: number;
}

export function scratchOf(level: Level): Scratch {
  const rows = panelRows(level);
  const sizes = {
    frame: 8 * SLOTS.length,
    stage: rows * CHUNK,
    heads: rows * 64,
    panel: rows * CHUNK,
    scales: rows * 16 * 4,
    mins: rows * 8 * 4,
    d: rows * 8 * 4,
    dmin: rows * 8 * 4,
    start: rows * 8 * 4,
    folded: tileTokens(level) * 32,
    totals: rows * 4 * ROUND,
  };
  let bytes = 0;
  const offsets = Object.entries(sizes).map(([name, size]) => {
    const at = bytes;
    bytes += Math.ceil(size / 64) * 64;
    return [name, at];
  });
  return { ...(Object.fromEntries(offsets) as Omit<Scratch, 'bytes'>), bytes };
}

/** Whether the stage gets codes times scales: where a table of 16 bytes holds all products with a scale. */
export function isFolded(level: Level, { scaled, offset, most, mostScale }: Unpack): boolean {
  return level.avx512 && scaled === 16 && offset === 0 && most < 4 && most * mostScale < 128;
}

/** What the parts of the kernel share while it is emitted. */
export class Batch {
  readonly k: KernelBuilder<BatchArg>;
  readonly unpack: Unpack;
  readonly scratch: Scratch;
  /** Bytes of a vector, and of a row of the panel's tables: P elements of 4 bytes. */
  readonly vector: number;
  readonly line: number;

  /** Weights that share a scale in the panel; undefined where there are no scales or codes are multiplied with them. */
  readonly scaled: 16 | 32 | undefined;

  constructor(k: KernelBuilder<BatchArg>, unpack: Unpack) {
    this.k = k;
    this.scaled = isFolded(k.level, unpack) ? undefined : unpack.scaled;
    this.unpack = unpack;
    this.scratch = scratchOf(k.level);
    this.vector = k.level.bytes;
    this.line = VECTORS * this.vector;
  }

  /** A variable of the outer loops. */
  slot(name: Slot): Memory {
    return mem(this.k.scratch, 8 * SLOTS.indexOf(name));
  }

  /** A part of the scratch. */
  at(part: keyof Omit<Scratch, 'bytes'>, bytes = 0): Memory {
    return mem(this.k.scratch, this.scratch[part] + bytes);
  }

  load(target: Gpr, name: Slot): void {
    this.k.x.mov(target, this.slot(name));
  }

  store(name: Slot, value: Gpr | number): void {
    this.k.x.store64(this.slot(name), value);
  }

  /** `slot += other slot * factor`. */
  advance(name: Slot, by: Slot, factor: number): void {
    const { k } = this;
    k.scope(() => {
      const step = k.gpr('step');
      k.x.imul(step, this.slot(by), factor);
      k.x.add(step, this.slot(name));
      this.store(name, step);
    });
  }
}
