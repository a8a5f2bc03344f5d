/**
 * Whether an f16 model was a bf16 checkpoint once. A bf16 value has 7 bits of fraction, so in f16, which has 10, its last
 * 3 bits are zero: of other origins are only one in 8 values like that. What bf16 can hold and f16 cannot is lost by then:
 * values below 2^-14 lose bits, values below 2^-25 become zero, values above 65504 infinite.
 */
import type { GgufFile, GgufTensor } from '../gguf/index.ts';
import { FORMATS } from '../quants/index.ts';

/** Weights looked at in one tensor, and tensors in a file. */
const SAMPLE_WEIGHTS = 1 << 15;
const SAMPLE_TENSORS = 24;

/** Fewer than this prove nothing. */
const LEAST_NORMAL = 256;

export interface HalfOrigin {
  /** Weights looked at. */
  readonly sampled: number;
  /** Of them, such that bf16 may have held more exactly: below f16's normal range, zeros included. */
  readonly below: number;
  readonly infinite: number;
}

interface Tally {
  normal: number;
  /** Normal values whose last 3 fraction bits are not all zero. */
  finer: number;
  below: number;
  infinite: number;
}

function tally(bytes: Uint8Array, into: Tally): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    const bits = view.getUint16(at, true);
    const exponent = (bits >> 10) & 31;
    if (exponent === 0) into.below++;
    else if (exponent === 31) into.infinite++;
    else {
      into.normal++;
      if ((bits & 7) !== 0) into.finer++;
    }
  }
}

/** Evenly over the file. */
function sampleOf(tensors: readonly GgufTensor[]): GgufTensor[] {
  const step = Math.max(1, tensors.length / SAMPLE_TENSORS);
  return Array.from(
    { length: Math.min(SAMPLE_TENSORS, tensors.length) },
    (_, i) => tensors[Math.floor(i * step)],
  );
}

/** What a sample of the F16 tensors shows; undefined if they are no bf16 weights, or there are none. */
export async function bf16Origin(file: GgufFile): Promise<HalfOrigin | undefined> {
  const halves = file.tensors.filter(({ format, shape }) => format === FORMATS.F16 && shape.length > 1);
  const sums: Tally = { normal: 0, finer: 0, below: 0, infinite: 0 };
  for (const tensor of sampleOf(halves)) {
    tally(await file.read(tensor, 0, Math.min(tensor.bytes, 2 * SAMPLE_WEIGHTS)), sums);
  }
  if (sums.normal < LEAST_NORMAL || sums.finer > 0) return undefined;
  const { below, infinite } = sums;
  return { sampled: sums.normal + below + infinite, below, infinite };
}
