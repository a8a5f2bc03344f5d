/** Tensor entries out of a header, and the checks that make their places in the file trustworthy. */
import { alignUp } from '../core/index.ts';
import { formatById, formatBytes } from '../quants/index.ts';
import type { HeaderCursor } from './cursor.ts';
import { MAX_DIMENSIONS, MAX_NAME_BYTES } from './limits.ts';
import { quoted } from './text.ts';
import type { GgufTensor, TensorSpec } from './types.ts';

/** Fewest bytes of an entry: name length, name, dimensions, one length, type, offset. */
export const LEAST_TENSOR_BYTES = 33;

/** A tensor entry; the offset is still relative to the data section. */
interface Entry {
  readonly spec: TensorSpec;
  readonly weights: number;
  readonly bytes: number;
  readonly relative: number;
}

/**
 * Weights and bytes of a tensor of that shape and format, exact.
 * @returns a sentence instead where there can be no such tensor.
 */
export function measureTensor(spec: Omit<TensorSpec, 'name'>): { weights: number; bytes: number } | string {
  const { format, shape } = spec;
  if (shape.length < 1 || shape.length > MAX_DIMENSIONS) {
    return `has ${shape.length} dimensions; 1 to ${MAX_DIMENSIONS} are allowed`;
  }
  const bad = shape.find((length) => !Number.isSafeInteger(length) || length < 1);
  if (bad !== undefined) return `has a dimension of length ${bad}`;
  if (shape[0] % format.blockSize !== 0) {
    return `rows of ${shape[0]} weights are not whole ${format.name} blocks of ${format.blockSize}`;
  }
  const weights = shape.reduce((product, length) => product * BigInt(length), 1n);
  const bytes = (weights / BigInt(format.blockSize)) * BigInt(format.blockBytes);
  if (weights > Number.MAX_SAFE_INTEGER || bytes > Number.MAX_SAFE_INTEGER) {
    return `has ${weights} weights, which is absurd`;
  }
  return { weights: Number(weights), bytes: formatBytes(format, Number(weights)) };
}

function readEntry(cursor: HeaderCursor, index: number): Entry {
  cursor.place = `tensor entry ${index}`;
  const name = cursor.string('name', MAX_NAME_BYTES);
  if (name === '') throw cursor.fail('the name is empty');
  cursor.place = `tensor ${quoted(name)}`;
  const dimensions = cursor.u32();
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    throw cursor.fail(`has ${dimensions} dimensions; 1 to ${MAX_DIMENSIONS} are allowed`);
  }
  const shape = Array.from({ length: dimensions }, (_, i) => cursor.count(`dimension ${i}`));
  const format = formatById(cursor.u32(), `${cursor.source.name}: ${cursor.place}`);
  const measured = measureTensor({ format, shape });
  if (typeof measured === 'string') throw cursor.fail(measured);
  const relative = cursor.count('offset');
  return { spec: { name, format, shape }, ...measured, relative };
}

/**
 * `count` entries with absolute offsets. Data must stand in the order of the entries, each tensor at the next
 * aligned offset, all of it inside the file: what llama.cpp demands, and what rules overlaps out.
 */
export async function readTensors(
  cursor: HeaderCursor,
  count: number,
  alignment: number,
  shard: number,
): Promise<GgufTensor[]> {
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) entries.push(await cursor.record(() => readEntry(cursor, i)));
  const start = alignUp(cursor.position, alignment);
  const tensors: GgufTensor[] = [];
  let next = 0;
  for (const { spec, weights, bytes, relative } of entries) {
    cursor.place = `tensor ${quoted(spec.name)}`;
    if (relative !== next) {
      throw cursor.fail(`its data offset is ${relative}, but the data before it ends at ${next}`);
    }
    const offset = start + relative;
    if (!(offset + bytes <= cursor.source.size)) {
      throw cursor.fail(
        `its data ends at byte ${offset + bytes}, but the file at ${cursor.source.size}: it is cut short`,
      );
    }
    tensors.push({ ...spec, weights, bytes, offset, shard });
    next = alignUp(next + bytes, alignment);
  }
  return tensors;
}
