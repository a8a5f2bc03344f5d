/** A quantized GGUF as plain floats: metadata kept, every block format decoded. */
import type { ByteSink } from '../core/index.ts';
import {
  type GgufFile,
  type GgufLayout,
  type GgufTensor,
  layoutGguf,
  type Metadata,
  u32,
  withoutSplitKeys,
} from '../gguf/index.ts';
import { FORMATS, type FormatName, formatName } from '../quants/index.ts';
import { CONVERT_TYPES } from './convert.ts';
import { sumTallies, type Tally } from './rows.ts';
import { type StreamOptions, streamTensors } from './stream.ts';

export const DEQUANTIZE_TYPES = ['f32', 'bf16', 'f16'] as const;
export type DequantizeType = (typeof DEQUANTIZE_TYPES)[number];

export interface DequantizePlan {
  readonly metadata: Metadata;
  readonly layout: GgufLayout;
  readonly targets: readonly { readonly tensor: GgufTensor; readonly target: FormatName }[];
}

/** Integers stay what they are, vectors become f32, the rest becomes `type`. */
function targetOf(tensor: GgufTensor, type: DequantizeType): FormatName {
  if (tensor.format.kind === 'integer') return formatName(tensor.format);
  return tensor.shape.length < 2 ? 'F32' : CONVERT_TYPES[type].format;
}

/** The same entries; what a quantizer left (`quantize.*`) no longer holds and goes, and so do shard keys. */
function plainMetadata(metadata: Metadata, type: DequantizeType): Metadata {
  const kept = [...withoutSplitKeys(metadata)].filter(([key]) => !key.startsWith('quantize.'));
  return new Map([...kept, ['general.file_type', u32(CONVERT_TYPES[type].fileType)]]);
}

/** Lays out the output; reads no weights. Shards become one file. */
export function planDequantize(file: GgufFile, type: DequantizeType): DequantizePlan {
  const targets = file.tensors.map((tensor) => ({ tensor, target: targetOf(tensor, type) }));
  const metadata = plainMetadata(file.metadata, type);
  const layout = layoutGguf({
    metadata,
    tensors: targets.map(({ tensor, target }) => ({
      name: tensor.name,
      shape: tensor.shape,
      format: FORMATS[target],
    })),
  });
  return { metadata, layout, targets };
}

/** @throws input error: NaN or infinite weights, unless `options.allowNonFinite`. @returns what rounding did. */
export async function writeDequantized(
  file: GgufFile,
  plan: DequantizePlan,
  sink: ByteSink,
  options: Omit<StreamOptions, 'label' | 'place'>,
): Promise<Tally> {
  await sink.write(0, plan.layout.header);
  const transfers = plan.targets.map(({ tensor, target }, i) => ({
    name: tensor.name,
    source: formatName(tensor.format),
    target,
    rows: tensor.weights / tensor.shape[0],
    cols: tensor.shape[0],
    headRows: 0,
    offset: plan.layout.offsets[i],
    read: (offset: number, length: number) => file.read(tensor, offset, length),
  }));
  const stream = { ...options, label: 'dequantize', place: file.name };
  const tallies = await streamTensors(transfers, sink, plan.layout.size, stream);
  return sumTallies(tallies);
}
