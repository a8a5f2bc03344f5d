/** The routes behind the shell: what passes from one to the other. */
import { describe, expect, it } from 'vitest';
import { FakeService } from '../../../test/fake-service.ts';
import { DEFAULT_SETTINGS, type ServerSettings } from '../settings.ts';
import { modelApi } from './api.ts';
import { openLog } from './log.ts';
import { head, rawClient, type TestServer, withServer } from './testing.cases.ts';

const CHAT = '/v1/chat/completions';
const HELLO = { messages: [{ role: 'user', content: 'Hi' }] };

async function withModel(
  service: FakeService,
  settings: Partial<ServerSettings>,
  use: (server: TestServer) => Promise<void>,
): Promise<void> {
  const models = [{ id: 'fake', created: 1, service }];
  const api = modelApi(
    models,
    { ...DEFAULT_SETTINGS, ...settings },
    { log: openLog('silent'), version: '1.2.3' },
  );
  await withServer({ api, settings }, async (server) => {
    server.metrics.watch(models);
    await use(server);
  });
}

function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  const type = { 'content-type': 'application/json' };
  return fetch(url + CHAT, { method: 'POST', headers: { ...type, ...headers }, body: JSON.stringify(body) });
}

describe('the routes of models', () => {
  it('are told apart in the log and in numbers, also those that are none', () =>
    withModel(new FakeService(), {}, async ({ url, logged }) => {
      expect((await post(url, HELLO)).status).toBe(200);
      expect((await fetch(`${url}/v1/nothing/at/all`)).status).toBe(404);
      expect(await logged(({ path }) => path === CHAT)).toMatchObject({
        route: CHAT,
        status: 200,
        model: 'fake',
        stream: false,
        promptTokens: 6,
        completionTokens: 6,
        outcome: 'stop',
      });
      expect(await logged(({ status }) => status === 404)).toMatchObject({ route: 'none' });
      const text = await (await fetch(`${url}/metrics`)).text();
      expect(text).toContain(`bitmill_requests_total{route="${CHAT}",method="POST",status="200"} 1`);
      expect(text).toContain('bitmill_requests_total{route="none",method="GET",status="404"} 1');
      expect(text).toContain('bitmill_slots{model="fake"} 4');
    }));

  it('have prompts and answers in the log where that was asked for, and only there', async () => {
    const secret = { messages: [{ role: 'user', content: 'a secret question' }] };
    const service = new FakeService({ script: () => 'a secret answer' });
    await withModel(service, {}, async ({ url, log, logged }) => {
      await post(url, secret);
      await logged(({ path }) => path === CHAT);
      expect(JSON.stringify(log())).not.toContain('secret');
    });
    await withModel(service, { logPrompts: true }, async ({ url, logged }) => {
      await post(url, secret);
      const line = await logged(({ path }) => path === CHAT);
      expect(line).toMatchObject({ text: 'a secret answer' });
      expect(line['prompt']).toContain('a secret question');
    });
  });

  it('know who asks: an address, or the number of a key', async () => {
    const service = new FakeService();
    await withModel(service, {}, async ({ url }) => void (await post(url, HELLO)));
    await withModel(service, { apiKeys: ['first-key', 'second-key'] }, async ({ url }) => {
      await post(url, { ...HELLO, user: 'ada' }, { authorization: 'Bearer second-key' });
    });
    expect(service.requests.map(({ client }) => client)).toEqual(['127.0.0.1/', 'key 2/ada']);
  });

  it.each([false, true])('lose an asker that leaves, and its slot is free (stream: %s)', async (stream) => {
    let go = (): void => {};
    const begun = new Promise<void>((resolve) => {
      go = resolve;
    });
    const pace = (): Promise<void> => {
      go();
      return new Promise(() => {});
    };
    const service = new FakeService({ pace });
    await withModel(service, {}, async ({ port }) => {
      const body = JSON.stringify({ ...HELLO, stream });
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const client = await rawClient(port, head(`POST ${CHAT}`, headers) + body);
      await begun;
      expect(service.active).toBe(1);
      client.socket.destroy();
      while (service.active > 0) await new Promise((resolve) => setImmediate(resolve));
    });
  });

  it('are ended with 504 when the time is over, and the slot is free', async () => {
    const service = new FakeService({ pace: () => new Promise(() => {}) });
    await withModel(service, { requestSeconds: 0.2 }, async ({ url }) => {
      const response = await post(url, HELLO);
      expect(response.status).toBe(504);
      expect(await response.json()).toMatchObject({ error: { code: 'timeout' } });
      while (service.active > 0) await new Promise((resolve) => setImmediate(resolve));
      const text = await (await post(url, { ...HELLO, stream: true })).text();
      expect(text).toContain('"code":"timeout"');
      while (service.active > 0) await new Promise((resolve) => setImmediate(resolve));
    });
  });
});
