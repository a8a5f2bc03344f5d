/** The parts that layers are made of: a layer's graph reads as the paper's formulas with these. */
import { type Cache, type Graph, GraphBuilder, type RopeStyle, type Value } from '../graph/index.ts';
import type { GraphOptions } from './language-model.ts';
import type { Sizes } from './sizes.ts';
import type { Linear } from './tensors.ts';

type Vector = Linear['weight'];

/** Builds one layer: `hidden`, `cos`, `sin`, caches `keys` and `values` -> `next`. */
export class Layer {
  readonly sizes: Sizes;
  readonly hidden: Value;
  readonly #builder: GraphBuilder;
  readonly #options: GraphOptions;
  readonly #angles: { readonly cos: Value; readonly sin: Value; readonly style: RopeStyle };
  readonly #keys: Cache;
  readonly #values: Cache;

  constructor(name: string, sizes: Sizes, style: RopeStyle, options: GraphOptions) {
    const builder = new GraphBuilder(name);
    const cacheCols = sizes.kvHeads * sizes.headSize;
    this.sizes = sizes;
    this.hidden = builder.input('hidden', 'T', sizes.width);
    this.#angles = {
      cos: builder.input('cos', 'T', sizes.rotated / 2),
      sin: builder.input('sin', 'T', sizes.rotated / 2),
      style,
    };
    this.#keys = builder.cache('keys', options.cacheType, cacheCols);
    this.#values = builder.cache('values', options.cacheType, cacheCols);
    this.#builder = builder;
    this.#options = options;
  }

  norm(x: Value, weight: Vector): Value {
    return this.#builder.rmsNorm(x, weight, this.sizes.epsilon);
  }

  linear(x: Value, { weight, bias }: Linear): Value {
    const product = this.#builder.matmul(x, weight);
    return bias ? this.#builder.addBias(product, bias) : product;
  }

  /** Neighbouring columns of a fused product, as views: one a width. */
  split<const W extends readonly number[]>(x: Value, widths: W): { [K in keyof W]: Value } {
    let column = 0;
    const parts = widths.map((width) => {
      const part = this.#builder.slice(x, column, width);
      column += width;
      return part;
    });
    return parts as { [K in keyof W]: Value };
  }

  /** Rotates q [T, H * D] and k [T, K * D], appends k and v to the caches, attends -> [T, H * D]. */
  attend(q: Value, k: Value, v: Value): Value {
    const { heads, kvHeads, headSize, window } = this.sizes;
    const builder = this.#builder;
    const rotatedQ = builder.rope({ x: q, heads, ...this.#angles });
    builder.cacheStore(builder.rope({ x: k, heads: kvHeads, ...this.#angles }), this.#keys);
    builder.cacheStore(v, this.#values);
    return builder.attention({
      q: rotatedQ,
      keys: this.#keys,
      values: this.#values,
      heads,
      kvHeads,
      scale: 1 / Math.sqrt(headSize),
      window,
      algorithm: this.#options.attention,
    });
  }

  swiglu(gate: Value, up: Value): Value {
    return this.#builder.swiglu(gate, up);
  }

  add(a: Value, b: Value): Value {
    return this.#builder.add(a, b);
  }

  finish(next: Value): Graph {
    this.#builder.output('next', next);
    return this.#builder.build();
  }
}
