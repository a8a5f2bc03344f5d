/** Opening GGUF files for the length of a command. */
import path from 'node:path';
import { type GgufFile, parseShardName, trainedContext } from '../gguf/index.ts';
import { openGguf } from '../platform/index.ts';
import { ggufPath } from './embedded.ts';

export { trainedContext };

/** Opens a file, an address, a repository's file or an embedded model by its name. */
export async function openModel(name: string): Promise<GgufFile> {
  return openGguf(await ggufPath(name, 'quant'));
}

/** Opens a file (as `openModel`), hands it to `use` and closes it, whatever happens. */
export async function withGguf<T>(name: string, use: (file: GgufFile) => Promise<T>): Promise<T> {
  const file = await openModel(name);
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

/** `folder/Phi-3-mini-f16-00001-of-00002.gguf` -> `Phi-3-mini`. */
export function modelName(file: string): string {
  const base = path.basename(file);
  const whole = parseShardName(base)?.prefix ?? base.replace(/\.gguf$/i, '');
  return whole.replace(/[-._](f16|bf16|f32|fp16|fp32)$/i, '');
}
