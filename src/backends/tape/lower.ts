/**
 * Lowering: how an operation of the graph becomes kernel calls. One function an operation: in `ops/` those that all
 * backends with tapes share, the others with their backends.
 */
import type { Cache, Dims, Node, OpName, Sums, Value, Weight } from '../../graph/index.ts';
import type { TensorFormat } from '../../quants/index.ts';

/**
 * One kernel call, made by every thread: `kernel(thread, threads, scratch, counter, ...args)`. Commands run one after
 * the other, with a barrier between them.
 */
export interface Command {
  /** Name in the backend's table of kernels. */
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
  /** Address of the table of the run's spans; see spans.ts. */
  spans(): number;
  /** Address of `bytes` shared bytes that live through this node's commands only. */
  temporary(bytes: number): number;
  /** Whether a token's bits have to be the same in any company. */
  readonly uniform: boolean;
  /** Whether the backend has this kernel. */
  has(kernel: string): boolean;
  /** Number by which kernels of the wasm engine call a format's expand kernel. @throws Error: it has none. */
  slot(format: TensorFormat): number;
}

export type Lower<O extends OpName> = (node: Node<O>, context: LowerContext) => readonly Command[];

/** A lowering for each operation: what distinguishes the backends that run tapes. */
export type Lowerings = { readonly [O in OpName]: Lower<O> };
