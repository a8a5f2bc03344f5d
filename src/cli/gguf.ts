/** Opening GGUF files for the length of a command. */
import type { GgufFile } from '../gguf/index.ts';
import { openGguf } from '../platform/index.ts';

/** Opens a file, hands it to `use` and closes it, whatever happens. */
export async function withGguf<T>(name: string, use: (file: GgufFile) => Promise<T>): Promise<T> {
  const file = await openGguf(name);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Bytes of tensor data, for progress. */
export function dataBytes(tensors: GgufFile['tensors']): number {
  return tensors.reduce((bytes, tensor) => bytes + tensor.bytes, 0);
}
