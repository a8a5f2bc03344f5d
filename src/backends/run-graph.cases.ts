/** Runs a graph on a backend with given data, for the case suite and the tests of backends. */
import { normal, sample, studentT } from '../../test/random.ts';
import {
  cacheRows,
  type Dims,
  type Graph,
  GraphBuilder,
  type Span,
  type TensorLike,
  valueBytes,
} from '../graph/index.ts';
import { encode, type TensorFormat } from '../quants/index.ts';
import { type Backend, type Buffer, bytesOf, type Step } from './backend.ts';
import { stateBytes } from './binding.ts';

/** A tensor with its bytes. */
export interface TestWeight extends TensorLike {
  readonly bytes: Uint8Array;
}

/** Heavy-tailed weights, as trained ones are, encoded. @param shape row length, rows. */
export function testWeight(
  name: string,
  format: TensorFormat,
  shape: readonly [number, number],
  seed = 1,
): TestWeight {
  const [cols, rows] = shape;
  return { name, format, shape, bytes: encode(format, sample(cols * rows, studentT(seed), 0.05), cols) };
}

export const dims = (T: number, S = 0, past = 0): Dims => ({ T, S, past });

/** Dims of several sequences side by side. */
export const dimsOf = (...spans: readonly Span[]): Dims => ({
  T: spans.reduce((sum, { rows }) => sum + rows, 0),
  S: 0,
  past: Math.max(...spans.map(({ past }) => past)),
  spans,
});

/** Standard normal values. */
export function testValues(count: number, seed: number, scale = 1): Float32Array {
  return sample(count, normal(seed), scale);
}

/** One run of the case's graph: its sizes and the data of its inputs. */
export interface TestRun {
  readonly dims: Dims;
  readonly inputs: Readonly<Record<string, Float32Array | Int32Array>>;
}

export interface TestCase {
  readonly graph: Graph;
  readonly weights: readonly TestWeight[];
  /** One after the other; caches and sums carry over. */
  readonly runs: readonly TestRun[];
}

/** A case by what it shows; made when its test runs. */
export type NamedCase = readonly [name: string, make: () => TestCase];

/** A case from a function that builds the graph. */
export function testCase(
  weights: readonly TestWeight[],
  runs: readonly TestRun[],
  build: (g: GraphBuilder) => void,
): TestCase {
  const g = new GraphBuilder('case');
  build(g);
  return { graph: g.build(), weights, runs };
}

/** A matrix that came out. */
interface Result {
  readonly cols: number;
  readonly values: Float64Array;
  /** Whether its columns are different quantities, as those of losses are. */
  readonly mixed: boolean;
}

/** The last run's outputs, and the sums, by name. */
export type Results = ReadonlyMap<string, Result>;

async function bindWeights(backend: Backend, { graph, weights }: TestCase): Promise<Map<string, Buffer>> {
  const bind = new Map<string, Buffer>();
  for (const weight of graph.weights) {
    const data = weights.find(({ name }) => name === weight.name);
    if (!data) throw new Error(`no data for ${weight.name}`);
    const read = async (offset: number, length: number) => data.bytes.slice(offset, offset + length);
    bind.set(weight.name, await backend.upload(weight, read));
  }
  return bind;
}

function bindRun(backend: Backend, graph: Graph, { dims, inputs }: TestRun): Map<string, Buffer> {
  const bind = new Map<string, Buffer>();
  for (const [name, value] of [...graph.inputs, ...graph.outputs]) {
    bind.set(name, backend.alloc(valueBytes(value, dims), name));
  }
  for (const [name, data] of Object.entries(inputs)) {
    const buffer = bind.get(name);
    if (!buffer) throw new Error(`no input ${name}`);
    backend.write(buffer, 0, bytesOf(data));
  }
  return bind;
}

/** Whether an output's columns are different quantities. */
function isMixed({ nodes }: Graph, id: number): boolean {
  return nodes.some(({ op, output }) => output?.id === id && (op === 'loss' || op === 'divergence'));
}

async function readResults(backend: Backend, graph: Graph, bind: Step['bind']): Promise<Results> {
  const read = async (name: string): Promise<ArrayBuffer> => {
    const buffer = bind.get(name);
    if (!buffer) throw new Error(`${name} is not bound`);
    return (await backend.read(buffer, 0, buffer.bytes)).slice().buffer;
  };
  const results = new Map<string, Result>();
  for (const [name, { id, cols }] of graph.outputs) {
    const values = Float64Array.from(new Float32Array(await read(name)));
    results.set(name, { cols, values, mixed: isMixed(graph, id) });
  }
  for (const { kind, name, cols } of graph.states) {
    if (kind !== 'sums') continue;
    results.set(name, { cols, values: new Float64Array(await read(name), 0, cols), mixed: false });
  }
  return results;
}

/**
 * Runs a case: one `run` of the backend with a step a TestRun. Everything is freed afterwards.
 * @returns outputs of the last step, and sums.
 */
export async function runCase(backend: Backend, one: TestCase): Promise<Results> {
  const { graph, runs } = one;
  const positions = Math.max(...runs.map(({ dims }) => cacheRows(dims)));
  const program = backend.compile(graph);
  const shared = await bindWeights(backend, one);
  for (const state of graph.states) {
    shared.set(state.name, backend.alloc(stateBytes(state, positions), state.name));
  }
  const bound = runs.map((run) => bindRun(backend, graph, run));
  const steps = runs.map(({ dims }, i): Step => ({ program, dims, bind: new Map([...shared, ...bound[i]]) }));
  await backend.run(steps);
  const results = await readResults(backend, graph, steps[steps.length - 1].bind);
  for (const buffer of [shared, ...bound].flatMap((binding) => [...binding.values()])) backend.free(buffer);
  return results;
}

/** Rows with fewer columns are measured together: one small number alone would look like a large error. */
const MEASURED_COLUMNS = 16;

/** The parts of a result that are measured each by its own largest magnitude. */
function parts({ cols, values, mixed }: Result): Float64Array[] {
  if (mixed) {
    return Array.from({ length: cols }, (_, column) => values.filter((_, at) => at % cols === column));
  }
  const width = cols < MEASURED_COLUMNS ? values.length : cols;
  return Array.from({ length: values.length / width }, (_, r) => values.subarray(r * width, (r + 1) * width));
}

/** Largest difference relative to the largest magnitude; infinite where only one of two is a number. */
function partError(found: Float64Array, wanted: Float64Array): number {
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const error = wanted.reduce((most, value, i) => {
    if (Object.is(value, found[i])) return most;
    const difference = Math.abs(value - found[i]);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }, 0);
  return error === 0 ? 0 : error / (size || 1);
}

/** The largest difference, relative to the largest magnitude of its row (of its column, in losses) of `wanted`. */
export function largestError(found: Results, wanted: Results): number {
  const errors = [...wanted].flatMap(([name, result]) => {
    const other = found.get(name);
    if (other?.values.length !== result.values.length) return [Number.POSITIVE_INFINITY];
    const others = parts({ ...result, values: other.values });
    return parts(result).map((part, i) => partError(others[i], part));
  });
  return Math.max(...errors);
}
