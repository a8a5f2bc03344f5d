/** Our reader and writer against files that llama.cpp wrote, and llama.cpp against files that we write. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DATA, llamaOracle } from '../../test/oracle.ts';
import { memorySink, memorySource } from '../core/index.ts';
import { type GgufFile, readGguf, shardMetadata, shardName, shareOut, writeCopy } from './index.ts';

const FILES = [
  'a-phi3.gguf',
  'b-llama.gguf',
  'a-phi3.imatrix.gguf',
  'b-llama.imatrix.gguf',
  'a-phi3-quants/IQ1_M.gguf',
  'a-phi3-quants/IQ2_XS.gguf',
  'a-phi3-quants/Q4_K_M.gguf',
].map((name) => path.join(DATA, 'fixtures', name));

const llama = await llamaOracle();

const openFixture = async (file: string): Promise<{ bytes: Uint8Array; gguf: GgufFile }> => {
  const bytes = new Uint8Array(readFileSync(file));
  return { bytes, gguf: await readGguf(memorySource(bytes, file)) };
};

async function copyOf(
  gguf: GgufFile,
  plan: Partial<Parameters<typeof writeCopy>[1]> = {},
): Promise<Uint8Array> {
  const sink = memorySink();
  await writeCopy(sink, { file: gguf, metadata: gguf.metadata, tensors: gguf.tensors, ...plan });
  return sink.bytes();
}

describe.each(FILES)('%s, written by llama.cpp', (file) => {
  it.skipIf(!existsSync(file))('comes out of our writer byte for byte', async () => {
    const { bytes, gguf } = await openFixture(file);
    expect(Buffer.compare(await copyOf(gguf), bytes)).toBe(0);
  });
});

if (typeof llama === 'string') console.warn(`llama.cpp does not check our files: ${llama}`);

describe.skipIf(typeof llama === 'string' || !existsSync(FILES[0]))(
  'llama.cpp generates the same tokens',
  () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-oracle-'));
    afterAll(() => rmSync(folder, { recursive: true }));

    function tokensOf(file: string): number[] {
      if (typeof llama === 'string') throw new Error(llama);
      const peer = llama.Peer.open(file);
      try {
        return [...peer.greedy([1, 100, 200], 8)];
      } finally {
        peer.close();
      }
    }

    it.each([64, 4096])('from a file that we align to %i bytes', async (alignment) => {
      const { gguf } = await openFixture(FILES[0]);
      const file = path.join(folder, `aligned-${alignment}.gguf`);
      writeFileSync(file, await copyOf(gguf, { alignment }));
      expect(tokensOf(file)).toEqual(tokensOf(FILES[0]));
    });

    it.each([32, 128])('from shards that we write, aligned to %i bytes', async (alignment) => {
      const { gguf } = await openFixture(FILES[0]);
      const groups = shareOut(gguf, { maxBytes: 3_000_000 });
      expect(groups.length).toBeGreaterThan(2);
      const files = groups.map((_, i) =>
        shardName(path.join(folder, `shard-${alignment}`), i, groups.length),
      );
      for (const [i, tensors] of groups.entries()) {
        const metadata = shardMetadata(gguf.metadata, i, groups.length, gguf.tensors.length);
        writeFileSync(files[i], await copyOf(gguf, { metadata, tensors, alignment }));
      }
      expect(tokensOf(files[0])).toEqual(tokensOf(FILES[0]));
    });
  },
);
