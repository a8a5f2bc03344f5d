/** Builds a graph node by node; every node is checked against the table of operations as it is added. */
import { GraphError, OPS, type Shape } from './ops.ts';
import {
  type Cache,
  type CacheType,
  type Graph,
  type Node,
  type OpFields,
  type OpName,
  type Rows,
  type Sums,
  storage,
  type Tap,
  type TensorLike,
  type Value,
  type Weight,
} from './types.ts';

/** A tensor as the weight of a product (or a vector of one row). @throws GraphError: more than two dimensions. */
export function weightOf({ name, format, shape }: TensorLike): Weight {
  const [cols, rows = 1, ...more] = shape;
  if (more.some((size) => size !== 1))
    throw new GraphError(`${name}: ${shape.length} dimensions, 2 are allowed`);
  return { kind: 'weight', name, format, cols, rows };
}

export class GraphBuilder {
  readonly #name: string;
  readonly #inputs = new Map<string, Value>();
  readonly #outputs = new Map<string, Value>();
  readonly #weights = new Map<string, Weight>();
  readonly #states = new Map<string, Cache | Sums>();
  readonly #nodes: Node[] = [];
  readonly #taps: Tap[] = [];
  #next = 0;

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, rows: Rows, cols: number, type: Value['type'] = 'f32'): Value {
    const value = this.#value({ rows, cols }, type);
    this.#inputs.set(name, value);
    return value;
  }

  /** Names a value as a result; a view cannot be one. */
  output(name: string, value: Value): void {
    if (value.view) throw new GraphError(`${this.#name}: output ${name} is a view`);
    this.#outputs.set(name, value);
  }

  cache(name: string, type: CacheType, cols: number): Cache {
    const cache: Cache = { kind: 'cache', name, type, cols };
    this.#states.set(name, cache);
    return cache;
  }

  /** Columns `column .. column + cols` of a value, without a copy. */
  slice(of: Value, column: number, cols: number): Value {
    if (column < 0 || column + cols > of.cols) {
      throw new GraphError(`${this.#name}: columns ${column} to ${column + cols} of ${of.cols}`);
    }
    const base = storage(of);
    return {
      ...this.#value({ rows: of.rows, cols }, of.type),
      view: { of: base, column: column + (of.view?.column ?? 0) },
    };
  }

  embed(tokens: Value, tensor: TensorLike): Value {
    return this.#yield('embed', { tokens, weight: this.#weight(tensor) });
  }

  rmsNorm(x: Value, tensor: TensorLike, epsilon: number): Value {
    return this.#yield('rms_norm', { x, weight: this.#weight(tensor), epsilon });
  }

  /** A matrix product; its input is an activation checkpoint. */
  matmul(x: Value, tensor: TensorLike): Value {
    const weight = this.#weight(tensor);
    this.#taps.push({ weight, x });
    return this.#yield('matmul', { x, weight });
  }

  addBias(x: Value, tensor: TensorLike): Value {
    return this.#yield('add_bias', { x, weight: this.#weight(tensor) });
  }

  rope(fields: OpFields['rope']): Value {
    return this.#yield('rope', fields);
  }

  cacheStore(x: Value, cache: Cache): void {
    this.#add('cache_store', { x, cache });
  }

  attention(fields: OpFields['attention']): Value {
    return this.#yield('attention', fields);
  }

  swiglu(gate: Value, up: Value): Value {
    return this.#yield('swiglu', { gate, up });
  }

  add(a: Value, b: Value): Value {
    return this.#yield('add', { a, b });
  }

  rows(x: Value, select: Value): Value {
    return this.#yield('rows', { x, select });
  }

  loss(logits: Value, targets: Value): Value {
    return this.#yield('loss', { logits, targets });
  }

  divergence(logits: Value, base: Value, targets: Value): Value {
    return this.#yield('divergence', { logits, base, targets });
  }

  build(): Graph {
    return {
      name: this.#name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      weights: [...this.#weights.values()],
      states: [...this.#states.values()],
      nodes: this.#nodes,
      taps: this.#taps,
    };
  }

  #value({ rows, cols }: Shape, type: Value['type'] = 'f32'): Value {
    return { kind: 'value', id: this.#next++, rows, cols, type };
  }

  #weight(tensor: TensorLike): Weight {
    const weight = this.#weights.get(tensor.name) ?? weightOf(tensor);
    this.#weights.set(tensor.name, weight);
    return weight;
  }

  #add<O extends OpName>(op: O, fields: OpFields[O]): Value | undefined {
    const rule = OPS[op] as (fields: OpFields[O]) => Shape | undefined;
    const shape = rule(fields);
    const output = shape && this.#value(shape);
    this.#nodes.push({ op, output, ...fields } as unknown as Node);
    return output;
  }

  #yield<O extends OpName>(op: O, fields: OpFields[O]): Value {
    const output = this.#add(op, fields);
    if (!output) throw new GraphError(`${op} has no output`);
    return output;
  }
}
