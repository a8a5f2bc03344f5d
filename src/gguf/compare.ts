/** What differs between two GGUF files: metadata, tensors, and by how much their weights differ. */
import { decode } from '../quants/index.ts';
import type { GgufFile, GgufTensor, GgufValue, Metadata } from './types.ts';

/** Weights compared at once; a multiple of every block size. */
const PIECE_WEIGHTS = 1 << 20;

export interface MetadataDifference {
  readonly key: string;
  /** Undefined: absent in that file. */
  readonly a: GgufValue | undefined;
  readonly b: GgufValue | undefined;
}

export interface TensorDifference {
  readonly name: string;
  /** Undefined: absent in that file. */
  readonly a: GgufTensor | undefined;
  readonly b: GgufTensor | undefined;
  /** Of the decoded weights; undefined where shapes differ or a file lacks the tensor. */
  readonly weights?: WeightDifference;
}

export interface WeightDifference {
  readonly maxAbs: number;
  /** Root of the mean squared difference. */
  readonly rms: number;
  /** `rms` over the root mean square of a's weights. */
  readonly relativeRms: number;
  /** Weights that are a number in one file and none (NaN) in the other. */
  readonly notNumbers: number;
}

export interface Comparison {
  readonly metadata: readonly MetadataDifference[];
  readonly tensors: readonly TensorDifference[];
  /** Tensors that are in both files with equal shape, format and bytes. */
  readonly equalTensors: number;
}

function equalValues(a: GgufValue, b: GgufValue): boolean {
  if (a.type !== 'array' || b.type !== 'array') return a.type === b.type && Object.is(a.value, b.value);
  if (a.of !== b.of || a.value.length !== b.value.length) return false;
  const other: readonly unknown[] = b.value;
  return (a.value as readonly unknown[]).every((item, i) =>
    typeof item === 'object'
      ? equalValues(item as GgufValue, other[i] as GgufValue)
      : Object.is(item, other[i]),
  );
}

/** Keys of both, in the order of `a`, then those that only `b` has. */
function unionOf(a: Iterable<string>, b: Iterable<string>): string[] {
  return [...new Set([...a, ...b])];
}

function compareMetadata(a: Metadata, b: Metadata): MetadataDifference[] {
  return unionOf(a.keys(), b.keys())
    .map((key) => ({ key, a: a.get(key), b: b.get(key) }))
    .filter(({ a: x, b: y }) => x === undefined || y === undefined || !equalValues(x, y));
}

/** Equal lengths assumed; both views start on multiples of 4, as memory that was read for them does. */
function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  const words = Math.floor(a.length / 4);
  const wordsA = new Uint32Array(a.buffer, a.byteOffset, words);
  const wordsB = new Uint32Array(b.buffer, b.byteOffset, words);
  for (let i = 0; i < words; i++) if (wordsA[i] !== wordsB[i]) return false;
  for (let i = 4 * words; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Running sums over weights. */
class WeightSums {
  #maxAbs = 0;
  #squares = 0;
  #reference = 0;
  #count = 0;
  #notNumbers = 0;

  add(a: Float32Array, b: Float32Array): void {
    for (let i = 0; i < a.length; i++) {
      if (a[i] === b[i] || (Number.isNaN(a[i]) && Number.isNaN(b[i]))) continue;
      const difference = Math.abs(a[i] - b[i]);
      if (Number.isNaN(difference)) {
        this.#notNumbers++;
        continue;
      }
      if (difference > this.#maxAbs) this.#maxAbs = difference;
      this.#squares += difference * difference;
    }
    for (const weight of a) if (Number.isFinite(weight)) this.#reference += weight * weight;
    this.#count += a.length;
  }

  get result(): WeightDifference {
    return {
      maxAbs: this.#maxAbs,
      rms: Math.sqrt(this.#squares / this.#count),
      relativeRms: this.#squares === 0 ? 0 : Math.sqrt(this.#squares / this.#reference),
      notNumbers: this.#notNumbers,
    };
  }
}

/** A tensor in an open file. */
interface Placed {
  readonly file: GgufFile;
  readonly tensor: GgufTensor;
}

function readWeights({ file, tensor }: Placed, start: number, count: number): Promise<Uint8Array> {
  const { blockSize, blockBytes } = tensor.format;
  return file.read(tensor, (start / blockSize) * blockBytes, (count / blockSize) * blockBytes);
}

/** Both tensors' bytes, `PIECE_WEIGHTS` weights at a time. */
async function* piecePairs(
  a: Placed,
  b: Placed,
): AsyncGenerator<{ count: number; x: Uint8Array; y: Uint8Array }> {
  for (let start = 0; start < a.tensor.weights; start += PIECE_WEIGHTS) {
    const count = Math.min(PIECE_WEIGHTS, a.tensor.weights - start);
    const [x, y] = await Promise.all([readWeights(a, start, count), readWeights(b, start, count)]);
    yield { count, x, y };
  }
}

async function equalData(a: Placed, b: Placed): Promise<boolean> {
  if (a.tensor.format !== b.tensor.format) return false;
  for await (const { x, y } of piecePairs(a, b)) if (!equalBytes(x, y)) return false;
  return true;
}

async function compareWeights(a: Placed, b: Placed): Promise<WeightDifference> {
  const sums = new WeightSums();
  for await (const { count, x, y } of piecePairs(a, b)) {
    sums.add(decode(a.tensor.format, x, count), decode(b.tensor.format, y, count));
  }
  return sums.result;
}

function equalShapes(a: GgufTensor, b: GgufTensor): boolean {
  return a.shape.length === b.shape.length && a.shape.every((length, i) => length === b.shape[i]);
}

/** @param onTensor told after each tensor. */
export async function compareGguf(
  a: GgufFile,
  b: GgufFile,
  onTensor: (name: string) => void = () => {},
): Promise<Comparison> {
  const tensors: TensorDifference[] = [];
  let equalTensors = 0;
  const names = unionOf(
    a.tensors.map((tensor) => tensor.name),
    b.tensors.map((tensor) => tensor.name),
  );
  for (const name of names) {
    const pair = { name, a: a.find(name), b: b.find(name) };
    if (!pair.a || !pair.b || !equalShapes(pair.a, pair.b)) {
      tensors.push(pair);
    } else {
      const placed = [
        { file: a, tensor: pair.a },
        { file: b, tensor: pair.b },
      ] as const;
      if (await equalData(...placed)) equalTensors++;
      else tensors.push({ ...pair, weights: await compareWeights(...placed) });
    }
    onTensor(name);
  }
  return { metadata: compareMetadata(a.metadata, b.metadata), tensors, equalTensors };
}
