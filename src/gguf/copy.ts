/** Writes tensors of an open GGUF into a new one, unchanged, in pieces of bounded memory. */
import type { ByteSink } from '../core/index.ts';
import type { GgufFile, GgufTensor, Metadata } from './types.ts';
import { layoutGguf } from './writer.ts';

/** Bytes of tensor data in memory at once. */
const PIECE_BYTES = 1 << 24;

/** Whole blocks of a tensor, in order. */
export async function* pieces(
  file: GgufFile,
  tensor: GgufTensor,
  pieceBytes = PIECE_BYTES,
): AsyncGenerator<{ offset: number; bytes: Uint8Array }> {
  const { blockBytes } = tensor.format;
  const step = Math.max(1, Math.floor(pieceBytes / blockBytes)) * blockBytes;
  for (let offset = 0; offset < tensor.bytes; offset += step) {
    yield { offset, bytes: await file.read(tensor, offset, Math.min(step, tensor.bytes - offset)) };
  }
}

export interface CopyPlan {
  readonly file: GgufFile;
  readonly metadata: Metadata;
  /** Tensors of `file`, in the order of the output. */
  readonly tensors: readonly GgufTensor[];
  /** Bytes; default: what the metadata says. */
  readonly alignment?: number;
}

/** @param onBytes told the size of each piece of tensor data that was written. @returns bytes of the file. */
export async function writeCopy(
  sink: ByteSink,
  { file, ...plan }: CopyPlan,
  onBytes: (bytes: number) => void = () => {},
): Promise<number> {
  const layout = layoutGguf(plan);
  await sink.write(0, layout.header);
  let end = layout.header.length;
  for (const [i, tensor] of plan.tensors.entries()) {
    for await (const { offset, bytes } of pieces(file, tensor)) {
      await sink.write(layout.offsets[i] + offset, bytes);
      end = layout.offsets[i] + offset + bytes.length;
      onBytes(bytes.length);
    }
  }
  if (end < layout.size) await sink.write(end, new Uint8Array(layout.size - end));
  return layout.size;
}
