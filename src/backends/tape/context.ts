/** What a lowering sees while it lowers one node: addresses, sizes, and bytes of its own. */

import { alignUp } from '../../core/index.ts';
import {
  type Cache,
  cacheRows,
  type Dims,
  type MemoryPlan,
  type Sums,
  spansOf,
  storage,
  type Value,
  type Weight,
} from '../../graph/index.ts';
import type { TensorFormat } from '../../quants/index.ts';
import { stateBytes, weightBytes } from '../binding.ts';
import { type Block, demandBytes } from './buffer.ts';
import type { KernelNumbers } from './encode.ts';
import type { LowerContext, Place } from './lower.ts';

/** Temporaries start at a multiple of this many bytes: a cache line. */
const ALIGNMENT = 64;

/** The buffers of a step by the names of the graph. */
export interface Bindings {
  /** Name of the graph, for errors. */
  readonly graph: string;
  readonly named: ReadonlyMap<string, Block>;
  /** Inputs and outputs by value id. */
  readonly values: ReadonlyMap<number, Block>;
}

/** What lowering needs to know of the backend. */
export interface Target {
  readonly threads: number;
  readonly numbers: KernelNumbers;
  /** Numbers of expand kernels by format name; see LowerContext.slot. */
  readonly slots: ReadonlyMap<string, number>;
  /** Address of the workspace. */
  readonly workspace: number;
  /** Address of the run's spans; see spans.ts. */
  readonly spans: number;
}

export class NodeContext implements LowerContext {
  readonly dims: Dims;
  readonly threads: number;
  readonly uniform: boolean;
  /** Whether the lowering asked for `past`, for the spans or for a cache, which grows with them. */
  readPast = false;
  /** Workspace bytes that the plan and the node's temporaries take. */
  end: number;
  readonly #bindings: Bindings;
  readonly #sizes: Dims;
  readonly #target: Target;
  readonly #plan: MemoryPlan;

  constructor(bindings: Bindings, dims: Dims, target: Target, plan: MemoryPlan, uniform: boolean) {
    this.uniform = uniform;
    this.#bindings = bindings;
    this.#sizes = dims;
    this.#target = target;
    this.#plan = plan;
    this.threads = target.threads;
    this.end = plan.size;
    const context = this;
    this.dims = {
      T: dims.T,
      S: dims.S,
      get past() {
        context.readPast = true;
        return dims.past;
      },
      get spans() {
        context.readPast = true;
        return spansOf(dims);
      },
    };
  }

  // Fields, not methods: lowerings may take them out of the context.

  readonly place = (value: Value): Place => {
    const base = storage(value);
    const address = this.#addressOf(base) + 4 * (value.view?.column ?? 0);
    return { address, stride: 4 * base.cols };
  };

  readonly weight = (weight: Weight): { readonly address: number; readonly format: TensorFormat } => {
    const block = this.#named(weight.name);
    const format = block.format ?? weight.format;
    demandBytes(block, weightBytes(weight, format), this.#label(weight.name));
    return { address: block.address, format };
  };

  readonly state = (state: Cache | Sums): number => {
    const block = this.#named(state.name);
    if (state.kind === 'cache') this.readPast = true;
    demandBytes(block, stateBytes(state, cacheRows(this.#sizes)), this.#label(state.name));
    return block.address;
  };

  readonly spans = (): number => this.#target.spans;

  readonly temporary = (bytes: number): number => {
    const start = alignUp(this.end, ALIGNMENT);
    this.end = start + bytes;
    return this.#target.workspace + start;
  };

  readonly has = (kernel: string): boolean => this.#target.numbers.has(kernel);

  readonly slot = (format: TensorFormat): number => {
    const slot = this.#target.slots.get(format.name);
    if (slot === undefined) throw new Error(`there is no expand kernel for ${format.name}`);
    return slot;
  };

  #addressOf(value: Value): number {
    const bound = this.#bindings.values.get(value.id);
    if (bound) return bound.address;
    const offset = this.#plan.offsets.get(value.id);
    if (offset === undefined) throw new Error(`${this.#bindings.graph}: value ${value.id} is never computed`);
    return this.#target.workspace + offset;
  }

  #named(name: string): Block {
    const block = this.#bindings.named.get(name);
    if (!block) throw new Error(`${this.#label(name)} is not one of the graph's tensors`);
    return block;
  }

  #label(name: string): string {
    return `${this.#bindings.graph}: ${name}`;
  }
}
