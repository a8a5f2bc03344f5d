/** SHA-256 of the tensors of a GGUF, one by one and all together. */
import { createHash } from 'node:crypto';
import { type GgufFile, pieces } from '../gguf/index.ts';

export interface GgufHashes {
  /** Hex by tensor name, in file order: of the little-endian data bytes. */
  readonly tensors: ReadonlyMap<string, string>;
  /** Hex, of all tensors' data one after the other; padding and metadata do not count. */
  readonly model: string;
}

/** @param onBytes told the size of each piece that was hashed. */
export async function hashGguf(
  file: GgufFile,
  onBytes: (bytes: number) => void = () => {},
): Promise<GgufHashes> {
  const model = createHash('sha256');
  const tensors = new Map<string, string>();
  for (const tensor of file.tensors) {
    const one = createHash('sha256');
    for await (const { bytes } of pieces(file, tensor)) {
      one.update(bytes);
      model.update(bytes);
      onBytes(bytes.length);
    }
    tensors.set(tensor.name, one.digest('hex'));
  }
  return { tensors, model: model.digest('hex') };
}
