/** GGUF files on disk: shards by name, files beyond 4 GiB. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { entry, type FileParts, ggufBytes, pair, u16, u32, zeros } from '../../test/gguf-bytes.ts';
import { layoutGguf } from '../gguf/index.ts';
import { FORMATS } from '../quants/index.ts';
import { openGguf } from './index.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-gguf-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, parts: FileParts): string {
  const file = path.join(folder, name);
  writeFileSync(file, ggufBytes(parts));
  return file;
}

function shard(no: number, count: number, tensors: readonly string[], total: number): FileParts {
  return {
    pairs: [
      pair('split.no', 2, u16(no)),
      pair('split.count', 2, u16(count)),
      pair('split.tensors.count', 5, u32(total)),
    ],
    entries: tensors.map((name, i) => entry(name, [8], 0, 32 * i)),
    data: zeros(32 * tensors.length),
  };
}

describe('openGguf', () => {
  it('opens all shards, whichever is named', async () => {
    const first = write('m-00001-of-00002.gguf', shard(0, 2, ['a'], 3));
    const second = write('m-00002-of-00002.gguf', shard(1, 2, ['b', 'c'], 3));
    const file = await openGguf(second);
    expect(file.shards).toEqual([first, second]);
    expect(file.tensors.map((tensor) => tensor.name)).toEqual(['a', 'b', 'c']);
    expect(await file.read(file.tensors[2])).toEqual(new Uint8Array(32));
    await file.close();
  });

  it('says in which file and where the data of a tensor lies, unless its bytes would have to be turned', async () => {
    write('p-00001-of-00002.gguf', shard(0, 2, ['a'], 2));
    const second = write('p-00002-of-00002.gguf', shard(1, 2, ['b'], 2));
    const file = await openGguf(second);
    const [, b] = file.tensors;
    expect(file.place?.(b)).toEqual({
      file: { path: second, size: b.offset + 32, mtimeMs: expect.any(Number), ino: expect.any(Number) },
      offset: b.offset,
    });
    await file.close();
    const turned = await openGguf(write('turned.gguf', { ...shard(0, 1, ['a'], 1), big: true }));
    expect(turned.place?.(turned.tensors[0])).toBeUndefined();
    await turned.close();
  });

  it('names the shard that is missing', async () => {
    const file = write('gap-00001-of-00003.gguf', shard(0, 3, ['a'], 3));
    await expect(openGguf(file)).rejects.toThrow('gap-00002-of-00003.gguf: shard 2 of 3 is missing');
  });

  it('refuses a shard under another name', async () => {
    const file = write('renamed.gguf', shard(0, 2, ['a'], 2));
    await expect(openGguf(file)).rejects.toMatchObject({
      kind: 'input',
      hint: expect.stringContaining('-00001-of-'),
    });
  });

  it('reports missing files and folders as bad input', async () => {
    await expect(openGguf(path.join(folder, 'none.gguf'))).rejects.toMatchObject({ kind: 'input' });
    await expect(openGguf(folder)).rejects.toThrow('is a folder');
  });

  it('opens all shards by the address of one', async () => {
    write('web-00001-of-00002.gguf', shard(0, 2, ['a'], 3));
    write('web-00002-of-00002.gguf', shard(1, 2, ['b', 'c'], 3));
    const server = createServer((request, response) => {
      const bytes = readFileSync(path.join(folder, path.basename(request.url ?? '')));
      response.writeHead(206, { 'content-range': `bytes 0-${bytes.length - 1}/${bytes.length}` }).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const file = await openGguf(`${base}/web-00002-of-00002.gguf`);
    expect(file.shards).toEqual([`${base}/web-00001-of-00002.gguf`, `${base}/web-00002-of-00002.gguf`]);
    expect((await file.read(file.tensors[2])).length).toBe(32);
    server.close();
  });

  it('reads tensors beyond 4 GiB', async () => {
    const { header, offsets, size } = layoutGguf({
      metadata: new Map(),
      tensors: [
        { name: 'large', format: FORMATS.F32, shape: [2 ** 20, 1100] },
        { name: 'last', format: FORMATS.F32, shape: [2] },
      ],
    });
    const name = path.join(folder, 'sparse.gguf');
    const handle = await open(name, 'w');
    await handle.write(header, 0, header.length, 0);
    await handle.write(Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 192), 0, 8, offsets[1]);
    await handle.truncate(size);
    await handle.close();
    const file = await openGguf(name);
    const [large, last] = file.tensors;
    expect(last.offset).toBe(offsets[0] + 4_613_734_400);
    const floats = new Float32Array((await file.read(last)).buffer);
    expect([...floats]).toEqual([1, -2]);
    expect(await file.read(large, 4_400_000_000, 8)).toEqual(new Uint8Array(8));
    await file.close();
  });
});
