/** What every request passes before it reaches a model: sizes, names, origins, keys, time. */
import { describe, expect, it } from 'vitest';
import type { Api } from './shell.ts';
import { head, rawClient, statusOf, withServer } from './testing.cases.ts';

const KEYS = { apiKeys: ['first-key-1', 'second-key-2'] };
const SMALL = { settings: { maxBodyBytes: 1000 } };

/** Never answers; counts who waits. */
function hanging(): { api: Api; waiting: () => number } {
  let waiting = 0;
  const api: Api = (_, { signal }) => {
    waiting++;
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        waiting--;
        reject(signal.reason);
      });
    });
  };
  return { api, waiting: () => waiting };
}

/** Events without end; counts the streams that are open and the pieces that were taken. */
function streaming(size = 10): { api: Api; open: () => number; pieces: () => number } {
  let open = 0;
  let pieces = 0;
  const piece = new TextEncoder().encode(`data: ${'x'.repeat(size)}\n\n`);
  const api: Api = () => {
    open++;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await new Promise((resolve) => setImmediate(resolve));
        pieces++;
        controller.enqueue(piece);
      },
      cancel: () => {
        open--;
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
  return { api, open: () => open, pieces: () => pieces };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('bodies', () => {
  it('reach the API whole, up to the limit to the byte', () =>
    withServer(SMALL, async ({ url }) => {
      const body = 'é'.repeat(500);
      const response = await fetch(`${url}/v1/x`, { method: 'POST', body });
      expect(await response.json()).toEqual({ method: 'POST', body });
      const large = await fetch(`${url}/v1/x`, { method: 'POST', body: `${body}.` });
      expect(large.status).toBe(413);
      expect(await large.json()).toEqual({
        error: {
          message: 'the body is larger than 1000 bytes',
          type: 'invalid_request_error',
          param: null,
          code: null,
        },
      });
    }));

  it('are refused by their length, before they have come', () =>
    withServer(SMALL, async ({ port }) => {
      const client = await rawClient(port, head('POST /v1/x', { 'content-length': 10 ** 12 }));
      const text = await client.until('}}');
      expect(statusOf(text)).toBe(413);
      expect(text).toContain('connection: close');
      await client.end;
    }));

  it('are counted where they come in chunks, and are not read to their end', () =>
    withServer(SMALL, async ({ port }) => {
      const client = await rawClient(port, head('POST /v1/x', { 'transfer-encoding': 'chunked' }));
      const chunk = `64\r\n${'x'.repeat(100)}\r\n`;
      let sent = 0;
      const flood = setInterval(() => {
        client.socket.write(chunk.repeat(100));
        sent += 100;
      }, 1);
      const text = await client.end;
      clearInterval(flood);
      expect(statusOf(text)).toBe(413);
      expect(sent).toBeGreaterThan(0);
    }));

  it('of two gigabytes from a client that does not listen do not stay in memory', () =>
    withServer(SMALL, async ({ port, url }) => {
      const client = await rawClient(port, head('POST /v1/x', { 'content-length': 2 ** 31 }));
      const piece = Buffer.alloc(2 ** 20);
      let closed = false;
      client.end.then(() => {
        closed = true;
      });
      let sent = 0;
      while (!closed && sent < 2048) {
        sent++;
        if (!client.socket.write(piece)) {
          await Promise.race([client.end, new Promise((resolve) => client.socket.once('drain', resolve))]);
        }
      }
      expect(sent).toBeLessThan(64);
      expect((await fetch(`${url}/health`)).status).toBe(200);
    }));

  it('that break off leave nothing behind', () =>
    withServer(SMALL, async ({ port, logged }) => {
      const client = await rawClient(port, `${head('POST /v1/broken', { 'content-length': 100 })}abc`);
      client.socket.destroy();
      expect(await logged(({ path }) => path === '/v1/broken')).toMatchObject({ status: 499, cut: true });
    }));

  it('of GET are read and thrown away', () =>
    withServer(SMALL, async ({ port }) => {
      const client = await rawClient(
        port,
        `${head('GET /v1/x', { 'content-length': 3 })}abc${head('GET /health')}`,
      );
      const text = await client.until('{"status":"ok"}');
      expect(text).toContain('{"method":"GET","body":""}');
      client.socket.destroy();
    }));
});

describe('hosts and origins', () => {
  it.each([
    '127.0.0.1',
    'localhost',
    'LOCALHOST:8080',
    '[::1]:8080',
    'chat.localhost',
    '127.1.2.3',
    'my.lan',
  ])('answers to %s', (host) =>
    withServer({ hosts: ['my.lan'] }, async ({ port }) => {
      const client = await rawClient(port, head('GET /health', { host, connection: 'close' }));
      expect(statusOf(await client.end)).toBe(200);
    }),
  );

  it.each([
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '0x7f000001.ex',
  ])('refuses %s: its name may have been given our address', (host) =>
    withServer({}, async ({ port }) => {
      const client = await rawClient(port, head('GET /health', { host, connection: 'close' }));
      const text = await client.end;
      expect(statusOf(text)).toBe(403);
      expect(text).toContain(`host ${host} is not a name of this server`);
    }),
  );

  it.each(['', 'a b', 'localhost@evil', 'localhost:x', '[::1', 'x/y'])(
    'refuses %j, which is no host',
    (host) =>
      withServer({}, async ({ port }) => {
        const client = await rawClient(port, head('GET /health', { host, connection: 'close' }));
        expect([400, 403]).toContain(statusOf(await client.end));
      }),
  );

  it('refuses an absolute address with another host than its own header', () =>
    withServer({}, async ({ port }) => {
      const client = await rawClient(
        port,
        head('GET http://localhost/health', { host: 'evil.example', connection: 'close' }),
      );
      expect(statusOf(await client.end)).toBe(403);
    }));

  it('refuses what pages of other sites send, and answers its own page', () =>
    withServer({}, async ({ url, port }) => {
      const ask = (origin: string): Promise<Response> =>
        fetch(`${url}/v1/x`, { method: 'POST', body: '{}', headers: { origin } });
      for (const origin of [
        'https://evil.example',
        'null',
        `http://127.0.0.1:${port + 1}`,
        'http://localhost',
      ]) {
        expect((await ask(origin)).status).toBe(403);
      }
      expect((await ask(url)).status).toBe(200);
    }));

  it('allows other origins where they are named, and answers their preflights without a key', () =>
    withServer({ settings: { ...KEYS, corsOrigins: ['https://chat.example'] } }, async ({ url }) => {
      const origin = 'https://chat.example';
      const preflight = await fetch(`${url}/v1/x`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type',
        },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
      expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
      expect(preflight.headers.get('access-control-allow-methods')).toBe('GET,HEAD,POST');
      const authorization = `Bearer ${KEYS.apiKeys[0]}`;
      const answer = await fetch(`${url}/v1/x`, {
        method: 'POST',
        body: '',
        headers: { origin, authorization },
      });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
      const unauthorized = await fetch(`${url}/v1/x`, { headers: { origin } });
      expect(unauthorized.status).toBe(401);
      expect(unauthorized.headers.get('access-control-allow-origin')).toBe(origin);
      expect((await fetch(`${url}/v1/x`, { headers: { origin: 'https://evil.example' } })).status).toBe(403);
    }));

  it('has no header of CORS where nothing was asked for', () =>
    withServer({}, async ({ url }) => {
      const { headers } = await fetch(`${url}/v1/x`);
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    }));
});

describe('keys', () => {
  it.each([
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer wrong-key-1' }],
    ['the beginning of one', { authorization: 'Bearer first-key-' }],
    ['one without its scheme', { authorization: 'first-key-1' }],
    ['another scheme', { authorization: 'Basic first-key-1' }],
  ])('are wanted: 401 to %s, in the shape of OpenAI', (_, headers) =>
    withServer({ settings: KEYS }, async ({ url }) => {
      const response = await fetch(`${url}/v1/x`, { method: 'POST', body: '{}', headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      const { error } = (await response.json()) as { error: Record<string, unknown> };
      expect(error).toMatchObject({ type: 'authentication_error', param: null, code: 'invalid_api_key' });
    }),
  );

  it('open the door, each of them, and say in the log which it was but not what it is', () =>
    withServer({ settings: KEYS }, async ({ url, log, logged }) => {
      for (const key of KEYS.apiKeys) {
        const headers = { authorization: `Bearer ${key}` };
        expect((await fetch(`${url}/v1/x`, { headers })).status).toBe(200);
      }
      expect(await logged(({ client }) => client === 'key 2')).toMatchObject({ status: 200 });
      expect(JSON.stringify(log())).not.toContain('first-key');
    }));

  it('are not wanted for /health and the page, and are for /metrics', () =>
    withServer({ settings: KEYS }, async ({ url }) => {
      expect((await fetch(`${url}/health`)).status).toBe(200);
      expect((await fetch(`${url}/`)).status).toBe(200);
      expect((await fetch(`${url}/metrics`)).status).toBe(401);
    }));

  it('are asked for before a body is read', () =>
    withServer({ settings: KEYS }, async ({ port }) => {
      const client = await rawClient(port, head('POST /v1/x', { 'content-length': 500 }));
      expect(statusOf(await client.until('}}'))).toBe(401);
      client.socket.destroy();
    }));
});

describe('time', () => {
  it('ends a request that takes too long, and tells clients not to try again', async () => {
    const { api, waiting } = hanging();
    await withServer({ api, settings: { requestSeconds: 0.1 } }, async ({ url }) => {
      const response = await fetch(`${url}/v1/x`);
      expect(response.status).toBe(504);
      expect(response.headers.get('x-should-retry')).toBe('false');
      expect(await response.json()).toMatchObject({ error: { type: 'server_error', code: 'timeout' } });
      expect(waiting()).toBe(0);
    });
  });

  it('ends a stream that takes too long with an error as its last event', async () => {
    const { api, open } = streaming();
    await withServer({ api, settings: { requestSeconds: 0.1 } }, async ({ url }) => {
      const text = await (await fetch(`${url}/v1/x`)).text();
      expect(text).toMatch(/^data: x{10}\n\n/);
      const last = JSON.parse(text.slice(text.lastIndexOf('data: ') + 'data: '.length)) as object;
      expect(last).toMatchObject({ error: { code: 'timeout' } });
      expect(open()).toBe(0);
    });
  });

  it('cuts a reader that leaves a stream unread', async () => {
    const { api, open, pieces } = streaming(2 ** 16);
    await withServer({ api, limits: { idleSeconds: 0.3 } }, async ({ port, logged }) => {
      const client = await rawClient(port, head('GET /v1/unread'));
      await client.until('data: x');
      client.socket.pause();
      expect(await logged(({ path }) => path === '/v1/unread')).toMatchObject({ status: 200, cut: true });
      await until(() => open() === 0);
      // What the buffers of the system take, not what could be made in the time.
      expect(pieces()).toBeLessThan(1000);
      client.socket.destroy();
    });
  });

  it('does not cut a reader that waits for its answer', async () => {
    const api: Api = async () => {
      await new Promise((resolve) => setTimeout(resolve, 700));
      return new Response('late');
    };
    await withServer({ api, limits: { idleSeconds: 0.1 } }, async ({ url }) => {
      expect(await (await fetch(`${url}/v1/x`)).text()).toBe('late');
    });
  });
});

describe('askers that leave', () => {
  it.each([
    ['closes', (socket: import('node:net').Socket) => socket.destroy()],
    ['resets', (socket: import('node:net').Socket) => socket.resetAndDestroy()],
    ['closes its half of', (socket: import('node:net').Socket) => socket.end()],
  ])('end their request: one that %s the connection while it waits', async (_, leave) => {
    const { api, waiting } = hanging();
    await withServer({ api }, async ({ port, logged }) => {
      const { socket } = await rawClient(port, head('GET /v1/left'));
      await until(() => waiting() === 1);
      leave(socket);
      await until(() => waiting() === 0);
      expect(await logged(({ path }) => path === '/v1/left')).toMatchObject({ status: 499, cut: true });
    });
  });

  it.each([
    ['closes', (socket: import('node:net').Socket) => socket.destroy()],
    ['resets', (socket: import('node:net').Socket) => socket.resetAndDestroy()],
    ['closes its half of', (socket: import('node:net').Socket) => socket.end()],
  ])('end their stream: one that %s the connection in the middle', async (_, leave) => {
    const { api, open } = streaming();
    await withServer({ api }, async ({ port, logged }) => {
      const client = await rawClient(port, head('GET /v1/left'));
      await client.until('data: x');
      expect(open()).toBe(1);
      leave(client.socket);
      await until(() => open() === 0);
      expect(await logged(({ path }) => path === '/v1/left')).toMatchObject({ status: 200, cut: true });
    });
  });
});

describe('faults', () => {
  it('of the API are 500, told to the log only', async () => {
    const api: Api = async () => {
      throw new Error('a secret of the house');
    };
    await withServer({ api }, async ({ url, logged }) => {
      const response = await fetch(`${url}/v1/x`);
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain('secret');
      const line = await logged(({ msg }) => msg === 'a request broke');
      expect(JSON.stringify(line)).toContain('a secret of the house');
    });
  });

  it('in the middle of a stream break it off, so that nobody takes it for whole', async () => {
    const api: Api = () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('data: 1\n\n')),
          pull: () => Promise.reject(new Error('broken')),
        }),
      );
    await withServer({ api }, async ({ url, logged }) => {
      await expect(fetch(`${url}/v1/x`).then((response) => response.text())).rejects.toThrow();
      expect(await logged(({ msg }) => msg === 'a stream broke')).toBeDefined();
    });
  });
});

describe('accounts', () => {
  it('keep a harmless id of the asker and make one otherwise', () =>
    withServer({}, async ({ url, logged }) => {
      const idOf = async (given: string): Promise<string | null> =>
        (await fetch(`${url}/health`, { headers: { 'x-request-id': given } })).headers.get('x-request-id');
      expect(await idOf('job-17.a')).toBe('job-17.a');
      expect(await idOf('x'.repeat(65))).toMatch(/^[\da-f-]{36}$/);
      expect(await idOf('a b{}')).toMatch(/^[\da-f-]{36}$/);
      expect(await logged(({ request }) => request === 'job-17.a')).toMatchObject({
        method: 'GET',
        path: '/health',
        route: '/health',
        status: 200,
        address: '127.0.0.1',
      });
    }));

  it('have neither queries nor bodies in the log', () =>
    withServer({}, async ({ url, log, logged }) => {
      await fetch(`${url}/v1/quiet?secret=1`, { method: 'POST', body: 'a secret' });
      await logged(({ path }) => path === '/v1/quiet');
      expect(JSON.stringify(log())).not.toContain('secret');
    }));

  it('are counted by route and status', () =>
    withServer({}, async ({ url, logged }) => {
      await fetch(`${url}/health`);
      await fetch(`${url}/v1/unknown`, { method: 'PURGE' });
      await logged(({ method }) => method === 'PURGE');
      const response = await fetch(`${url}/metrics`);
      expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
      const text = await response.text();
      expect(text).toContain('bitmill_requests_total{route="/health",method="GET",status="200"} 1');
      expect(text).toContain('bitmill_requests_total{route="none",method="other",status="200"} 1');
      expect(text).toContain('bitmill_request_duration_seconds_count{route="/health"} 1');
      expect(text).toMatch(/process_resident_memory_bytes \d{7,}/);
    }));
});

describe('life', () => {
  it('answers 503 while models are loaded', () =>
    withServer({ api: undefined }, async ({ url }) => {
      const health = await fetch(`${url}/health`);
      expect([health.status, await health.json()]).toEqual([503, { status: 'loading' }]);
      const response = await fetch(`${url}/v1/models`);
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('5');
      expect(await response.json()).toMatchObject({ error: { message: 'the models are being loaded' } });
    }));

  it('drains: what runs is finished, what comes is refused', async () => {
    let finish: (() => void) | undefined;
    const api: Api = () =>
      new Promise((resolve) => {
        finish = () => resolve(new Response('done'));
      });
    await withServer({ api }, async ({ url, port, drain }) => {
      const kept = await rawClient(port, head('GET /health'));
      await kept.until('{"status":"ok"}');
      const waiting = await rawClient(port, head('GET /v1/x'));
      await until(() => finish !== undefined);
      const late = await rawClient(port, 'GET /health HTTP/1.1\r\n');
      const drained = drain(30);
      late.socket.write('host: localhost\r\n\r\n');
      expect(await late.end).toContain('{"status":"draining"}');
      await expect(fetch(`${url}/health`)).rejects.toThrow();
      finish?.();
      expect(await waiting.end).toContain('done');
      expect(await drained).toBe(0);
      expect(await kept.end).toContain('{"status":"ok"}');
    });
  });

  it('waits for a drain no longer than it should, and says what was cut', async () => {
    const { api, waiting } = hanging();
    await withServer({ api }, async ({ port, drain }) => {
      const client = await rawClient(port, head('GET /v1/x'));
      await until(() => waiting() === 1);
      expect(await drain(0.1)).toBe(1);
      expect(await client.end).toBe('');
    });
  });

  it('ends a drain at once where it is told to', async () => {
    const { api, waiting } = hanging();
    await withServer({ api }, async ({ port, drain }) => {
      await rawClient(port, head('GET /v1/x'));
      await until(() => waiting() === 1);
      const now = new AbortController();
      const drained = drain(1000, now.signal);
      now.abort();
      expect(await drained).toBe(1);
    });
  });
});
