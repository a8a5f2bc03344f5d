/**
 * The self-test of the relaxed engine. V8 has compiled a relaxed instruction wrongly before (11.3 drops an accumulator
 * in its quick compiler), so the kernels must give right results here, call after call, until the optimizing compiler
 * has long taken over.
 */
import { FORMATS, formatBytes, type TensorFormat } from '../../quants/index.ts';
import { BYTE_CODES, BYTE_RECORD } from './kernels/bytes-layout.as.ts';
import * as kinds from './kernels/single-kinds.as.ts';

const PAGE = 65536;
const COLS = 512;
const ROWS = 16;
/** Calls of each kernel: V8 11.3 replaces its quick code after some hundred. */
const CALLS = 1500;
/** Relative to the largest sum; the kernels differ from exact sums by f32 rounding, some 1e-6. */
const TOLERANCE = 1e-4;

const TESTED = [
  { format: FORMATS.Q4_K, kind: kinds.Q4_K, scales: [0, 2] },
  { format: FORMATS.Q5_K, kind: kinds.Q5_K, scales: [0, 2] },
  { format: FORMATS.Q6_K, kind: kinds.Q6_K, scales: [208] },
] as const;

type Kernel = (...args: number[]) => void;

/** Seeded bytes. */
function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** Random blocks with f16 scales, at bytes `scales` of each, of 1 to 2. */
function randomRows(format: TensorFormat, scales: readonly number[]): Uint8Array {
  const bytes = noise(formatBytes(format, ROWS * COLS));
  for (let block = 0; block < bytes.length; block += format.blockBytes) {
    for (const at of scales) bytes[block + at + 1] = 0x3c;
  }
  return bytes;
}

/** Sums in f64 of decoded weights times the activations that `records` hold. */
function exactSums(format: TensorFormat, rows: Uint8Array, records: DataView): number[] {
  const weights = new Float32Array(ROWS * COLS);
  format.decode(rows, weights);
  const x = Array.from({ length: COLS }, (_, i) => {
    const record = (i >> 8) * BYTE_RECORD;
    return records.getFloat32(record, true) * records.getInt8(record + BYTE_CODES + (i & 255));
  });
  return Array.from({ length: ROWS }, (_, row) =>
    x.reduce((sum, value, i) => sum + value * weights[row * COLS + i], 0),
  );
}

/** Whether `found` is near `wanted`; NaN is not. */
function agree(found: Float32Array, wanted: readonly number[]): boolean {
  const bound = TOLERANCE * Math.max(...wanted.map(Math.abs));
  return wanted.every((value, i) => Math.abs(value - found[i]) <= bound);
}

/** Whether the relaxed kernels of a module compute what they should. */
export function relaxedWorks(module: WebAssembly.Module): boolean {
  const memory = new WebAssembly.Memory({ initial: 66, maximum: 65536, shared: true });
  const table = new WebAssembly.Table({ initial: 128, element: 'anyfunc' });
  const { exports } = new WebAssembly.Instance(module, { env: { memory, table, abort: () => {} } });
  return kernelsWork(memory, exports['quantize_bytes'] as Kernel, exports['matvec_bytes'] as Kernel);
}

/** @param quantize,multiply the kernels `quantize_bytes` and `matvec_bytes` over `memory`. */
export function kernelsWork(memory: WebAssembly.Memory, quantize: Kernel, multiply: Kernel): boolean {
  const [counter, x, records, y, weights] = [0, 64, 4096, 8192, 16384].map((at) => 64 * PAGE + at);
  new Float32Array(memory.buffer, x, COLS).set(Float32Array.from(noise(COLS), (byte) => byte - 127.5));
  quantize(0, 1, 0, counter, x, COLS / 256, records);
  return TESTED.every(({ format, kind, scales }) => {
    const rows = randomRows(format, scales);
    new Uint8Array(memory.buffer, weights, rows.length).set(rows);
    const wanted = exactSums(format, rows, new DataView(memory.buffer, records, 2 * BYTE_RECORD));
    const claims = new Int32Array(memory.buffer, counter, 1);
    const found = new Float32Array(memory.buffer, y, ROWS);
    for (let call = 0; call < CALLS; call++) {
      claims[0] = 0;
      found.fill(Number.NaN);
      multiply(0, 1, 0, counter, kind, weights, ROWS, COLS, formatBytes(format, COLS), records, y);
      if (!agree(found, wanted)) return false;
    }
    return true;
  });
}
