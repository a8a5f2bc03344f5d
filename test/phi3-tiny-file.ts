/** The embedded model phi3-tiny in Q8_0 as the bytes of a GGUF file, made in memory by our own code. */
import { fileURLToPath } from 'node:url';
import { planConversion, writeConversion } from '../src/convert/index.ts';
import { inlineExecutor, memorySink, silentProgress } from '../src/core/index.ts';
import { openCheckpoint } from '../src/hf/index.ts';
import { folderFiles } from '../src/platform/index.ts';

export async function phi3TinyQ8(): Promise<Uint8Array> {
  const folder = fileURLToPath(new URL('../models/phi3-tiny/', import.meta.url));
  const checkpoint = await openCheckpoint(folderFiles(folder));
  try {
    const plan = await planConversion(checkpoint, { dtype: 'q8_0', name: 'phi3-tiny', warn: () => {} });
    const sink = memorySink('phi3-tiny-Q8_0.gguf');
    const stream = { executor: inlineExecutor, progress: silentProgress, allowNonFinite: false };
    await writeConversion(checkpoint, plan, sink, stream);
    return sink.bytes();
  } finally {
    await checkpoint.close();
  }
}
