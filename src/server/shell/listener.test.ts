/** Connections that are too slow, too large, too many or no HTTP at all, from sockets that are as rude as it takes. */
import { describe, expect, it } from 'vitest';
import { LISTENER_LIMITS } from './limits.ts';
import { Listener } from './listener.ts';
import { echo, head, rawClient, statusOf, withServer } from './testing.cases.ts';

const DAWDLE = { limits: { headerSeconds: 0.3, bodySeconds: 0.6 } };

describe('listener', () => {
  it('closes a connection that never sends anything', () =>
    withServer(DAWDLE, async ({ port }) => {
      const { end } = await rawClient(port);
      expect(statusOf(await end)).toBe(408);
    }));

  it('answers 408 to headers that do not end', () =>
    withServer(DAWDLE, async ({ port }) => {
      const client = await rawClient(port, 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n');
      const drip = setInterval(() => client.socket.write('x-slow: 1\r\n'), 50);
      const text = await client.end;
      clearInterval(drip);
      expect(statusOf(text)).toBe(408);
      expect(text).toContain('{"error":{"message":"the request took too long to arrive"');
    }));

  it('answers 408 to a body that does not end', () =>
    withServer(DAWDLE, async ({ port, logged }) => {
      const client = await rawClient(port, `${head('POST /v1/x', { 'content-length': 1000 })}abc`);
      expect(statusOf(await client.end)).toBe(408);
      expect(await logged(({ path }) => path === '/v1/x')).toMatchObject({ status: 499, cut: true });
    }));

  it('answers 431 to headers that are too large', () =>
    withServer({}, async ({ port }) => {
      const { end } = await rawClient(port, head('GET /', { 'x-large': 'x'.repeat(20_000) }));
      expect(statusOf(await end)).toBe(431);
    }));

  it.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two lengths', head('POST /', { 'content-length': 3, 'transfer-encoding': 'chunked' })],
    [
      'two different lengths',
      `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd`,
    ],
    ['a negative length', head('POST /', { 'content-length': -1 })],
    ['a length that is no number', head('POST /', { 'content-length': '3x' })],
    ['a chunk without a size', `${head('POST /', { 'transfer-encoding': 'chunked' })}zz\r\nabc\r\n`],
    ['a header with a NUL', 'GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n'],
    ['a header folded', 'GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n'],
  ])('answers 400 to %s, and goes on', (_, bytes) =>
    withServer({}, async ({ port, url }) => {
      const { end } = await rawClient(port, bytes);
      expect(statusOf(await end)).toBe(400);
      expect((await fetch(`${url}/health`)).status).toBe(200);
    }),
  );

  it('answers 400 to a body that is longer than its length: what is left over is no request', () =>
    withServer({}, async ({ port }) => {
      const client = await rawClient(port, `${head('POST /v1/x', { 'content-length': 3 })}abc`);
      await client.until('{"method":"POST","body":"abc"}');
      client.socket.write('def\r\n\r\n');
      expect(await client.end).toContain('HTTP/1.1 400');
    }));

  it('closes connections beyond its number at once', () =>
    withServer({ limits: { connections: 1 } }, async ({ port }) => {
      const first = await rawClient(port, head('GET /health'));
      await first.until('{"status":"ok"}');
      const second = await rawClient(port, head('GET /health'));
      expect(await second.end).toBe('');
      first.socket.destroy();
    }));

  it('closes a connection that is idle between requests', () =>
    withServer({ limits: { keepAliveSeconds: 0.1 } }, async ({ port }) => {
      const { end } = await rawClient(port, head('GET /health'));
      expect(await end).toContain('{"status":"ok"}');
    }));

  it('answers pipelined requests one after the other, in order', async () => {
    let most = 0;
    let running = 0;
    const api = async (request: Request): Promise<Response> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      return new Response(new URL(request.url).pathname);
    };
    await withServer({ api }, async ({ port }) => {
      const paths = ['/v1/a', '/v1/b', '/v1/c', '/v1/d'];
      const client = await rawClient(port, paths.map((path) => head(`GET ${path}`)).join(''));
      const text = await client.until('/v1/d');
      expect(text.match(/\/v1\/./g)).toEqual(paths);
      expect(most).toBe(1);
      client.socket.destroy();
    });
  });

  it('closes a connection that pipelines too much', () =>
    withServer({ api: () => new Promise(() => {}) }, async ({ port }) => {
      const { end } = await rawClient(port, head('GET /v1/x').repeat(40));
      expect(await end).toBe('');
    }));

  it('does not run what waits behind the first request of a connection that is gone', async () => {
    let calls = 0;
    const api = (_: Request, { signal }: { signal: AbortSignal }): Promise<Response> => {
      calls++;
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    await withServer({ api }, async ({ port, logged }) => {
      const { socket } = await rawClient(port, head('GET /v1/first') + head('GET /v1/second'));
      await new Promise<void>((resolve) => {
        const look = (): void => void (calls > 0 ? resolve() : setImmediate(look));
        look();
      });
      socket.destroy();
      await logged(({ path }) => path === '/v1/first');
      await new Promise((resolve) => setImmediate(resolve));
      expect(calls).toBe(1);
    });
  });

  it('says that a port is in use', () =>
    withServer({}, async ({ port }) => {
      const again = Listener.open({
        host: '127.0.0.1',
        port,
        limits: LISTENER_LIMITS,
        handle: async () => {},
      });
      await expect(again).rejects.toMatchObject({
        kind: 'resources',
        message: `127.0.0.1:${port} is in use`,
        exitCode: 5,
      });
    }));

  it('answers a request for which it was asked to go on only when its body is wanted', () =>
    withServer({ api: echo, settings: { maxBodyBytes: 10 } }, async ({ port }) => {
      const small = await rawClient(
        port,
        head('POST /v1/x', { expect: '100-continue', 'content-length': 3 }),
      );
      await small.until('HTTP/1.1 100 Continue');
      small.socket.write('abc');
      await small.until('"body":"abc"');
      small.socket.destroy();
      const large = await rawClient(
        port,
        head('POST /v1/x', { expect: '100-continue', 'content-length': 11 }),
      );
      const text = await large.end;
      expect(statusOf(text)).toBe(413);
      expect(text).not.toContain('100 Continue');
    }));
});
