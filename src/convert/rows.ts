/**
 * Rows of one tensor from one format to another, as a job for a worker. Conversions between 16-bit floats and
 * floats are look-ups: 65,536 possible weights, each converted and judged once.
 */
import { f16ToF32, f32ToF16, type Job } from '../core/index.ts';
import { decode, encode, FORMATS, type FormatName, formatBytes } from '../quants/index.ts';

/** What happened to the weights on the way. */
export interface Tally {
  /** NaN or infinite in the source. */
  nonFinite: number;
  /** Not zero in the source, zero in the target. */
  flushed: number;
  /** Changed by rounding, but neither flushed nor overflowed. */
  rounded: number;
  /** Finite in the source, infinite in the target. */
  overflowed: number;
}

/** Nothing happened yet. */
export function emptyTally(): Tally {
  return { nonFinite: 0, flushed: 0, rounded: 0, overflowed: 0 };
}

/** Adds `part` to `sum`, in place. */
export function addTally(sum: Tally, part: Tally): void {
  sum.nonFinite += part.nonFinite;
  sum.flushed += part.flushed;
  sum.rounded += part.rounded;
  sum.overflowed += part.overflowed;
}

/** What happened to all of them. */
export function sumTallies(tallies: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const tally of tallies) addTally(sum, tally);
  return sum;
}

export interface ConvertInput {
  readonly source: FormatName;
  readonly target: FormatName;
  /** Whole rows. */
  readonly bytes: Uint8Array;
  /** Weights a row. */
  readonly cols: number;
  /** Rows a head whose halves are to be interleaved first; 0: rows stay where they are. */
  readonly headRows: number;
}

interface ConvertOutput {
  readonly bytes: Uint8Array;
  readonly tally: Tally;
}

/**
 * Rows of each head reordered: row `2 j + s` of the result is row `s H / 2 + j` of the source.
 * @param headRows H, even. @param rowBytes bytes a row; `bytes` holds whole heads.
 */
function interleaveRows(bytes: Uint8Array, rowBytes: number, headRows: number): Uint8Array {
  const result = new Uint8Array(bytes.length);
  const half = headRows / 2;
  for (let row = 0; row * rowBytes < bytes.length; row++) {
    const head = row - (row % headRows);
    const inHead = row - head;
    const from = head + (inHead % 2) * half + (inHead - (inHead % 2)) / 2;
    result.set(bytes.subarray(from * rowBytes, (from + 1) * rowBytes), row * rowBytes);
  }
  return result;
}

const FLAGS = { fine: 0, nonFinite: 1, flushed: 2, rounded: 3, overflowed: 4 } as const;

/** What became of a weight `x` that reads as `y` in the target. */
function judge(x: number, y: number): number {
  if (!Number.isFinite(x)) return FLAGS.nonFinite;
  if (x === y) return FLAGS.fine;
  if (y === 0) return FLAGS.flushed;
  return Number.isFinite(y) ? FLAGS.rounded : FLAGS.overflowed;
}

function tallyOf(counts: Float64Array): Tally {
  return {
    nonFinite: counts[FLAGS.nonFinite],
    flushed: counts[FLAGS.flushed],
    rounded: counts[FLAGS.rounded],
    overflowed: counts[FLAGS.overflowed],
  };
}

interface LookUp {
  /** Target bits by source bits. */
  readonly bits: Uint16Array | Uint32Array;
  readonly flags: Uint8Array;
}

const lookUps = new Map<string, LookUp>();

const HALVES: readonly FormatName[] = ['F16', 'BF16'];
const FLOATS: readonly FormatName[] = ['F32', 'F16', 'BF16'];

/** The table from a 16-bit float to a float; made on first use. */
function lookUp(source: FormatName, target: FormatName): LookUp {
  const name = `${source} ${target}`;
  const known = lookUps.get(name);
  if (known) return known;
  const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
  const x = decode(FORMATS[source], new Uint8Array(all.buffer), all.length);
  const encoded = source === target ? new Uint8Array(all.buffer) : encode(FORMATS[target], x, x.length);
  const y = decode(FORMATS[target], encoded, all.length);
  const bits = target === 'F32' ? new Uint32Array(encoded.buffer) : new Uint16Array(encoded.buffer);
  const made = { bits, flags: Uint8Array.from(x, (value, i) => judge(value, y[i])) };
  lookUps.set(name, made);
  return made;
}

/** Bytes at an even address: typed arrays need it, slices of a larger buffer may not have it. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
}

function convertHalves(source: FormatName, target: FormatName, input: Uint8Array): ConvertOutput {
  const { bits, flags } = lookUp(source, target);
  const bytes = aligned(input);
  const from = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  const to = target === 'F32' ? new Uint32Array(from.length) : new Uint16Array(from.length);
  const counts = new Float64Array(5);
  for (let i = 0; i < from.length; i++) {
    const weight = from[i];
    to[i] = bits[weight];
    // Counting every weight would make each step wait for the one before.
    if (flags[weight] !== FLAGS.fine) counts[flags[weight]]++;
  }
  return { bytes: new Uint8Array(to.buffer), tally: tallyOf(counts) };
}

/** Weights as f32; F32 bytes are taken as they are (platforms of today are little-endian). */
function widen(source: FormatName, input: Uint8Array): Float32Array {
  const format = FORMATS[source];
  if (source !== 'F32') return decode(format, input, (input.length / format.blockBytes) * format.blockSize);
  const bytes = aligned(input);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** Any source to any target; what rounding does is counted for f16 only, where it is a surprise. */
function convertWeights({ source, target, bytes, cols }: ConvertInput): ConvertOutput {
  const weights = widen(source, bytes);
  const counts = new Float64Array(5);
  if (target === 'F16') {
    const to = new Uint16Array(weights.length);
    for (let i = 0; i < weights.length; i++) {
      to[i] = f32ToF16(weights[i]);
      const flag = judge(weights[i], f16ToF32(to[i]));
      if (flag !== FLAGS.fine) counts[flag]++;
    }
    return { bytes: new Uint8Array(to.buffer), tally: tallyOf(counts) };
  }
  for (let i = 0; i < weights.length; i++) if (!Number.isFinite(weights[i])) counts[FLAGS.nonFinite]++;
  const encoded =
    target === 'F32'
      ? new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)
      : encode(FORMATS[target], weights, cols);
  return { bytes: encoded, tally: tallyOf(counts) };
}

/** Converts whole rows. Pure: the result depends on the input alone. */
function convertRows(input: ConvertInput): ConvertOutput {
  const { source, target, cols, headRows } = input;
  const rowBytes = formatBytes(FORMATS[source], cols);
  const bytes = headRows > 0 ? interleaveRows(input.bytes, rowBytes, headRows) : input.bytes;
  if (HALVES.includes(source) && FLOATS.includes(target)) return convertHalves(source, target, bytes);
  return convertWeights({ ...input, bytes });
}

export const convertJob: Job<ConvertInput, ConvertOutput> = {
  name: 'convert.rows',
  run: convertRows,
  transferOutput: ({ bytes }) => [bytes.buffer],
};
