/** Our reader and writer against files that llama.cpp wrote. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DATA } from '../../test/oracle.ts';
import { memorySource } from '../core/index.ts';
import { layoutGguf, readGguf } from './index.ts';

const FILES = ['a-phi3.gguf', 'b-llama.gguf', 'a-phi3.imatrix.gguf', 'b-llama.imatrix.gguf'];

describe.each(FILES)('%s, written by llama.cpp', (name) => {
  const file = path.join(DATA, 'fixtures', name);
  it.skipIf(!existsSync(file))('comes out of our writer byte for byte', async () => {
    const bytes = new Uint8Array(readFileSync(file));
    const gguf = await readGguf(memorySource(bytes, name));
    const layout = layoutGguf(gguf);
    const rewritten = new Uint8Array(layout.size);
    rewritten.set(layout.header);
    for (const [i, tensor] of gguf.tensors.entries()) {
      rewritten.set(await gguf.read(tensor), layout.offsets[i]);
    }
    expect(layout.offsets).toEqual(gguf.tensors.map((tensor) => tensor.offset));
    expect(Buffer.compare(rewritten, bytes)).toBe(0);
  });
});
