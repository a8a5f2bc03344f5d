/**
 * How a level multiplies the panel's bytes with four activation codes. vpdpbusd wants one unsigned side. Codes without an
 * offset are; for others the weights are signed and the activations get 128 added, whose share the sums begin with.
 * Without vpdpbusd, vpmaddubsw adds pairs in 16 bits: codes below 128 are safe; signed weights hand their sign over.
 */
import type { KernelBuilder } from '../../kernel.ts';
import type { Level } from '../../level.ts';
import type { Unpack } from '../../unpack/unpack.ts';
import { broadcast, type Memory, type Vec } from '../../x64/index.ts';
import { VECTORS } from './shape.ts';

export type Way = 'unsigned' | 'turned' | 'pairs' | 'signs';

export function wayOf(level: Level, { format, offset, most }: Unpack): Way {
  if (offset === 0 && most > 127)
    throw new Error(`${format}: codes up to ${most} need an offset; at most 127 do not`);
  if (level.vnni) return offset ? 'turned' : 'unsigned';
  return offset ? 'signs' : 'pairs';
}

/** Registers and steps of a tile's products. */
export class Products {
  readonly #k: KernelBuilder;
  readonly #way: Way;
  readonly #weights: readonly Vec[];
  readonly #sizes: readonly Vec[];
  readonly #codes: Vec;
  readonly #turn: Vec | undefined;
  readonly #part: Vec | undefined;

  constructor(k: KernelBuilder, way: Way) {
    this.#k = k;
    this.#way = way;
    this.#weights = k.vecs('weights', VECTORS);
    this.#sizes = way === 'signs' ? k.vecs('size', VECTORS) : [];
    this.#codes = k.vec('codes');
    this.#part = k.level.vnni ? undefined : k.vec('part');
    this.#turn = way === 'turned' ? k.vec('turn') : undefined;
    if (this.#turn) k.x.vmovdqu(this.#turn, k.u8(128));
  }

  /** A register that is free between two products. */
  get spare(): Vec {
    return this.#codes;
  }

  /** The weights of all rows, of four columns. */
  weights(place: (v: number) => Memory): void {
    const { x } = this.#k;
    this.#weights.forEach((weights, v) => {
      x.vmovdqu(weights, place(v));
      if (this.#sizes[v]) x.vpabsb(this.#sizes[v], weights);
    });
  }

  /** Four activation codes of a token. */
  codes(place: Memory): void {
    const { x, level } = this.#k;
    if (this.#turn && level.avx512) x.vpxor(this.#codes, this.#turn, broadcast(place));
    else x.vpbroadcastd(this.#codes, place);
    if (this.#turn && !level.avx512) x.vpxor(this.#codes, this.#codes, this.#turn);
  }

  /** What `codes` leaves for codes of 0. */
  zeroCodes(): void {
    if (this.#turn) this.#k.x.vmovdqu(this.#codes, this.#turn);
  }

  /** Adds the products of row vector v. */
  add(sum: Vec, v: number): void {
    const { x } = this.#k;
    const weights = this.#weights[v];
    const codes = this.#codes;
    if (this.#way === 'unsigned') x.vpdpbusd(sum, weights, codes);
    else if (this.#way === 'turned') x.vpdpbusd(sum, codes, weights);
    else if (this.#part) this.#addPairs(sum, v, this.#part);
  }

  #addPairs(sum: Vec, v: number, part: Vec): void {
    const { x } = this.#k;
    if (this.#way === 'signs') {
      x.vpsignb(part, this.#codes, this.#weights[v]);
      x.vpmaddubsw(part, this.#sizes[v], part);
    } else x.vpmaddubsw(part, this.#weights[v], this.#codes);
    x.vpmaddwd(part, part, this.#k.i16(1));
    x.vpaddd(sum, sum, part);
  }
}

/** `sum += pairs of i16 * pairs of i16`; `part` is destroyed where there is no vpdpwssd. */
export function addWords(k: KernelBuilder, sum: Vec, a: Vec, b: Memory, part: Vec): void {
  if (k.level.vnni) k.x.vpdpwssd(sum, a, b);
  else {
    k.x.vpmaddwd(part, a, b);
    k.x.vpaddd(sum, sum, part);
  }
}
