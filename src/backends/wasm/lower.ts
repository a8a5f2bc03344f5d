/** Lowering: how an operation of the graph becomes kernel calls. One function an operation, in `ops/`. */
import type { Cache, Dims, Node, OpName, Sums, Value, Weight } from '../../graph/index.ts';
import type { TensorFormat } from '../../quants/index.ts';

/**
 * One kernel call, made by every thread: `kernel(thread, threads, scratch, counter, ...args)`. Commands run one after
 * the other, with a barrier between them.
 */
export interface Command {
  /** Export name in the engine's module. */
  readonly kernel: string;
  /** Bytes of private memory that each thread needs; 0 if left out. */
  readonly scratch?: number;
  /** Addresses, sizes and f32 numbers. */
  readonly args: readonly number[];
}

/** Where a matrix lies: address of its first row, bytes from row to row. */
export interface Place {
  readonly address: number;
  readonly stride: number;
}

export interface LowerContext {
  readonly dims: Dims;
  readonly threads: number;
  place(value: Value): Place;
  /** Address of the rows, which follow each other without gaps, and their format as uploaded. */
  weight(weight: Weight): { readonly address: number; readonly format: TensorFormat };
  state(state: Cache | Sums): number;
  /** Address of the table of the run's spans; see kernels/spans.as.ts. */
  spans(): number;
  /** Address of `bytes` shared bytes that live through this node's commands only. */
  temporary(bytes: number): number;
  /** Whether this kernel of the relaxed engine may be used: it is there, and a lone token may differ. */
  has(kernel: string): boolean;
  /** Function-table slot of a format's expand kernel. */
  slot(format: TensorFormat): number;
}

export type Lower<O extends OpName> = (node: Node<O>, context: LowerContext) => readonly Command[];
