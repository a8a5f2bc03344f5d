/** The range source against a real web server, well-behaved and not. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { entry, ggufBytes, pairString, raw } from '../../test/gguf-bytes.ts';
import { httpSource, readGguf } from './index.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Starts a server; returns an address on it and the log of ranges asked for. */
async function serve(handler: Handler): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  server = createServer((request, response) => {
    asked.push(request.headers.range ?? 'all');
    handler(request, response, asked.length);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.gguf`, asked };
}

/** Answers ranges of `content` as a server should. */
function ranges(content: Uint8Array): Handler {
  return (request, response) => {
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const last = Math.min(Number(end), content.length - 1);
    response.writeHead(206, { 'content-range': `bytes ${start}-${last}/${content.length}` });
    response.end(content.subarray(Number(start), last + 1));
  };
}

const COUNTING = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);

describe('httpSource', () => {
  it('reads ranges, and those in cached blocks without a request', async () => {
    const { url, asked } = await serve(ranges(COUNTING));
    const source = await httpSource(url, { blockBytes: 1000 });
    expect(source.size).toBe(10_000);
    expect([...(await source.read(10, 3))]).toEqual([10, 11, 12]);
    expect([...(await source.read(1500, 2))]).toEqual([...COUNTING.subarray(1500, 1502)]);
    expect([...(await source.read(1998, 2))]).toEqual([...COUNTING.subarray(1998, 2000)]);
    expect(await source.read(9_990, 10)).toEqual(COUNTING.slice(9_990));
    expect(asked).toEqual(['bytes=0-999', 'bytes=1000-1999', 'bytes=9000-9999']);
  });

  it('reads more than a block in one request, without what is cached', async () => {
    const { url, asked } = await serve(ranges(COUNTING));
    const source = await httpSource(url, { blockBytes: 1000 });
    expect(await source.read(500, 5000)).toEqual(COUNTING.slice(500, 5500));
    expect(await source.read(2000, 3000)).toEqual(COUNTING.slice(2000, 5000));
    expect(asked).toEqual(['bytes=0-999', 'bytes=1000-5499', 'bytes=2000-4999']);
  });

  it('opens a GGUF with one request and reads a tensor', async () => {
    const bytes = ggufBytes({
      pairs: [pairString('general.name', 'remote')],
      entries: [entry('x', [2], 25)],
      data: raw([1, 0, 2, 0]),
    });
    const { url, asked } = await serve(ranges(bytes));
    const file = await readGguf(await httpSource(url));
    expect([...(await file.read(file.tensors[0]))]).toEqual([1, 0, 2, 0]);
    expect(file.name).toBe(url);
    expect(asked.length).toBe(1);
  });

  it('sends the headers that it was given', async () => {
    const { url } = await serve((request, response, nth) => {
      if (request.headers.authorization === 'Bearer t') ranges(COUNTING)(request, response, nth);
      else response.writeHead(401).end();
    });
    expect((await httpSource(url, { headers: { authorization: 'Bearer t' } })).size).toBe(10_000);
    await expect(httpSource(url)).rejects.toMatchObject({
      kind: 'network',
      hint: 'the file needs an access token',
    });
  });

  it('tries again when the server is busy or breaks off', async () => {
    const { url, asked } = await serve((request, response, nth) => {
      if (nth === 1) response.writeHead(503).end();
      else if (nth === 2) {
        response.writeHead(206, { 'content-range': 'bytes 0-9999/10000', 'content-length': '10000' });
        response.write(COUNTING.subarray(0, 100), () => response.destroy());
      } else ranges(COUNTING)(request, response, nth);
    });
    expect((await httpSource(url)).size).toBe(10_000);
    expect(asked.length).toBe(3);
  });

  it.each<[string, Handler, string]>([
    ['a missing file', (_, r) => void r.writeHead(404).end(), 'the server answers 404 Not Found'],
    ['a server without ranges', (_, r) => void r.writeHead(200).end('whole'), 'ignores Range requests'],
    ['an empty file', (_, r) => void r.writeHead(416).end(), 'the file is empty'],
    [
      'no size',
      (_, r) => void r.writeHead(206, { 'content-range': 'bytes 0-9/*' }).end(),
      'does not tell the size',
    ],
    [
      'another range',
      (_, r) => void r.writeHead(206, { 'content-range': 'bytes 5-9/10' }).end(),
      'sent bytes from 5, not from 0',
    ],
    [
      'more than was asked for',
      (_, r) => void r.writeHead(206, { 'content-range': 'bytes 0-9/10' }).end(new Uint8Array(11)),
      'sent more than the 10 bytes',
    ],
  ])('reports %s as a network error', async (_, handler, message) => {
    const { url } = await serve(handler);
    const error = await httpSource(url).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'network' });
    expect(String(error)).toContain(message);
    expect(String(error)).toContain(url);
  });

  it('reports a server that cannot be reached', async () => {
    await expect(httpSource('http://127.0.0.1:1/x.gguf')).rejects.toMatchObject({
      kind: 'network',
      exitCode: 4,
    });
  });

  it('reports a file that changes while it is read', async () => {
    const { url } = await serve((request, response, nth) =>
      ranges(nth === 1 ? COUNTING : COUNTING.subarray(0, 9000))(request, response, nth),
    );
    const source = await httpSource(url, { blockBytes: 1000 });
    await expect(source.read(5000, 10)).rejects.toThrow(
      'changed while it was read (from 10000 to 9000 bytes)',
    );
  });
});
