/** Random activations as `quantize_bytes` leaves them, and products in f64 of what an unpacker makes of the weights. */
import { uniform } from '../../../../../test/random.ts';
import { FORMATS, type TensorFormat } from '../../../../quants/index.ts';
import { type ActivationLayout, activationLayout } from '../../activations.ts';
import type { KernelBench } from '../../testing.cases.ts';
import type { Unpack } from '../../unpack/index.ts';
import { randomBlocks } from '../../unpack/unpack.cases.ts';

const formats: Readonly<Record<string, TensorFormat>> = FORMATS;

export interface Shape {
  readonly tokens: number;
  readonly rows: number;
  readonly cols: number;
  readonly planes: 1 | 2;
}

/** Activations at `address`: codes up to 127, in two planes up to 63, with sums of 16 and scales. */
export interface Activations {
  readonly address: number;
  readonly layout: ActivationLayout;
  /** [token][column]: what the codes mean. */
  readonly values: readonly Float64Array[];
}

export function randomActivations(
  bench: KernelBench,
  unpack: Unpack,
  { tokens, cols, planes }: Shape,
): Activations {
  const layout = activationLayout(tokens, cols, unpack.block, planes);
  const address = bench.alloc(layout.bytes);
  const random = uniform(5);
  const most = planes === 1 ? 127 : 64;
  const values = Array.from({ length: tokens }, () => new Float64Array(cols));
  for (let row = 0; row < planes * tokens; row++) {
    const codes = new Int8Array(
      bench.u8(address + layout.codes + row * layout.codeStride, cols).buffer,
      0,
      cols,
    );
    const sums = bench.i16(address + layout.sums + row * layout.sumStride, cols / 16);
    const scales = bench.f32(address + layout.scales + row * layout.scaleStride, cols / unpack.block);
    scales.forEach((_, g) => {
      scales[g] = (0.5 + random()) * (row < tokens && planes === 2 ? 1 : 2 ** -7);
    });
    for (let i = 0; i < cols; i++) {
      codes[i] = Math.round((2 * random() - 1) * most - Number(most === 64) / 2);
      sums[i >> 4] += codes[i];
      values[row % tokens][i] += codes[i] * scales[Math.floor(i / unpack.block)];
    }
  }
  return { address, layout, values };
}

/** Blocks of `rows` rows, and their weights as the format's plain decoder gives them. */
export function randomWeights(
  unpack: Unpack,
  { rows, cols }: Shape,
): { blocks: Uint8Array; weights: Float32Array } {
  const format = formats[unpack.format];
  const blocks = randomBlocks(format, (rows * cols) / unpack.block);
  const weights = new Float32Array(rows * cols);
  format.decode(blocks, weights);
  return { blocks, weights };
}

/** Outputs [token][row] that are not the f64 products, up to f32 rounding, as sentences. */
export function wrongProducts(
  y: Float32Array,
  weights: Float32Array,
  values: readonly Float64Array[],
  { rows, cols }: Shape,
): string[] {
  return values.flatMap((x, token) =>
    Array.from({ length: rows }, (_, row) => row).flatMap((row) => {
      let sum = 0;
      let size = 0;
      for (let i = 0; i < cols; i++) {
        const product = x[i] * weights[row * cols + i];
        sum += product;
        size += Math.abs(product);
      }
      const found = y[token * rows + row];
      const close = Math.abs(found - sum) <= 2 ** -20 * size;
      return close ? [] : [`token ${token}, row ${row}: ${found} instead of ${sum}`];
    }),
  );
}
