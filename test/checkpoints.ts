/** Checkpoints made in memory, for tests: safetensors bytes and folders that are maps. */
import { memorySource } from '../src/core/index.ts';
import { type CheckpointFiles, layoutSafetensors, type SafetensorsSpec } from '../src/hf/index.ts';

/** A safetensors file of any header text, right or wrong, followed by `data`. */
export function rawSafetensors(header: string, data = new Uint8Array(0), length?: bigint): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** A whole safetensors file; the data counts 0, 1, 2 … 255, 0 … through all tensors. */
export function countingSafetensors(
  tensors: readonly SafetensorsSpec[],
  metadata?: ReadonlyMap<string, string>,
): Uint8Array {
  const { header, size } = layoutSafetensors(tensors, metadata);
  const bytes = new Uint8Array(size);
  bytes.set(header);
  for (let i = header.length; i < size; i++) bytes[i] = (i - header.length) & 255;
  return bytes;
}

/** Files by name; strings are UTF-8, other values than bytes are written as JSON. */
export function memoryFiles(files: Record<string, unknown>, name = 'model'): CheckpointFiles {
  const bytes = new Map<string, Uint8Array>();
  for (const [file, value] of Object.entries(files)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    bytes.set(file, value instanceof Uint8Array ? value : new TextEncoder().encode(text));
  }
  return {
    name,
    list: async () => [...bytes.keys()].sort(),
    open: async (file) => {
      const found = bytes.get(file);
      return found && memorySource(found, `${name}/${file}`);
    },
  };
}
