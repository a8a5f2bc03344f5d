/**
 * The expand kernels against the formats' plain decode: for every weight, d * c - dmin * min is what `decode` says, on
 * random codes with every kind of scale.
 */
import { expect, test } from 'vitest';
import { uniform } from '../../../test/random.ts';
import { FORMATS, type Plane, type TensorFormat } from '../../quants/index.ts';
import { testEngine } from './testing.ts';

const BLOCKS = 200;
const quantized = Object.values(FORMATS).filter(
  (format: TensorFormat): format is TensorFormat & { plane: Plane } => format.plane !== undefined,
);

test('every quantized format has an integer plane', () => {
  const formats: TensorFormat[] = Object.values(FORMATS);
  const without = formats.filter(({ kind, plane }) => kind === 'quantized' && !plane).map(({ name }) => name);
  expect(without).toEqual([]);
});

interface Expanded {
  readonly codes: Int16Array;
  readonly scales: Float32Array;
  readonly mins: Int16Array;
}

const engine = testEngine();

/** Expands whole blocks. The kernel may not write a byte beyond what the contract says: 64 guard bytes tell. */
function expand(format: TensorFormat & { plane: Plane }, bytes: Uint8Array): Expanded {
  const weights = (bytes.length / format.blockBytes) * format.blockSize;
  const groups = weights / format.plane.group;
  const minBytes = format.plane.mins && format.plane.group === 256 ? weights / 8 : 0;
  const sizes = [bytes.length, 2 * weights, 8 * groups, minBytes];
  const [src, codes, scales, mins] = sizes.map((size) => {
    const at = engine.alloc(size + 64);
    new Uint8Array(engine.memory.buffer, at, size + 64).fill(0xa5);
    return at;
  });
  new Uint8Array(engine.memory.buffer, src, bytes.length).set(bytes);
  const kernel = engine.kernel(`${format.name.toLowerCase()}_expand`);
  kernel(src, bytes.length / format.blockBytes, codes, scales, mins);
  [src, codes, scales, mins].forEach((at, i) => {
    expect(new Uint8Array(engine.memory.buffer, at + sizes[i], 64)).toEqual(new Uint8Array(64).fill(0xa5));
  });
  return {
    codes: new Int16Array(engine.memory.buffer, codes, weights).slice(),
    scales: new Float32Array(engine.memory.buffer, scales, 2 * groups).slice(),
    mins: new Int16Array(engine.memory.buffer, mins, minBytes / 2).slice(),
  };
}

/** What the contract makes of a plane, in f64, and the largest term: rounding errors are relative to it. */
function weight({ group, mins: hasMins }: Plane, { codes, scales, mins }: Expanded, i: number) {
  const [d, dmin] = scales.subarray(2 * Math.floor(i / group));
  const product = d * codes[i];
  const min = hasMins ? dmin * (group === 256 ? mins[i >> 4] : 1) : 0;
  return { value: product - min, size: Math.max(Math.abs(product), Math.abs(min)) };
}

/** Index of the first weight that is not as decoded, within 1e-6 of the larger term; -1: all are. */
function firstDifference(format: TensorFormat & { plane: Plane }, bytes: Uint8Array): number {
  const expanded = expand(format, bytes);
  const decoded = new Float32Array(expanded.codes.length);
  format.decode(bytes, decoded);
  return decoded.findIndex((value, i) => {
    const plane = weight(format.plane, expanded, i);
    if (!Number.isFinite(value) || !Number.isFinite(plane.value)) {
      return Number.isNaN(value) !== Number.isNaN(Math.fround(plane.value));
    }
    return Math.abs(value - plane.value) > 1e-6 * plane.size + 1e-44;
  });
}

function randomBlocks(format: TensorFormat, seed: number): Uint8Array {
  const random = uniform(seed);
  return Uint8Array.from({ length: BLOCKS * format.blockBytes }, () => Math.floor(256 * random()));
}

test.each(quantized)('$name expands random bytes, whatever the scale, to the weights decoded', (format) => {
  expect(firstDifference(format, randomBlocks(format, format.id + 1))).toBe(-1);
});

test.each(quantized)('$name expands blocks of equal bytes, zero and NaN scales among them', (format) => {
  const bytes = Uint8Array.from({ length: 256 * format.blockBytes }, (_, i) =>
    Math.floor(i / format.blockBytes),
  );
  expect(firstDifference(format, bytes)).toBe(-1);
});

test.each(quantized)('the codes of $name stay within 4096 in magnitude', (format) => {
  const { codes } = expand(format, randomBlocks(format, format.id + 2));
  expect(codes.reduce((most, code) => Math.max(most, Math.abs(code)), 0)).toBeLessThanOrEqual(4096);
});
