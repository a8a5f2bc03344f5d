/** curl, as people type it, against the API on a real listener with a scripted model. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningApi, serveApi } from './api-server.ts';
import { FakeService } from './fake-service.ts';

const HAS_CURL = spawnSync('curl', ['--version']).status === 0;
if (!HAS_CURL) console.warn('skipped: there is no curl on this machine');

const JSON_TYPE = 'content-type: application/json';

let api: RunningApi;
let service: FakeService;

beforeAll(async () => {
  service = new FakeService({ script: () => 'Hé!' });
  api = await serveApi('fake', service);
});
afterAll(() => api?.close());

async function curl(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('curl', ['-sS', '--max-time', '20', ...args]);
  return stdout;
}

const CHAT = JSON.stringify({ model: 'fake', messages: [{ role: 'user', content: 'Hi' }] });

describe.skipIf(!HAS_CURL)('curl', () => {
  it('gets a chat, and its stream with -N', async () => {
    const url = `${api.url}/v1/chat/completions`;
    const { choices } = JSON.parse(await curl(url, '-H', JSON_TYPE, '-d', CHAT));
    expect(choices[0].message.content).toBe('Hé!');
    const streaming = CHAT.replace('{', '{"stream":true,');
    const lines = (await curl('-N', url, '-H', JSON_TYPE, '-d', streaming)).split('\n');
    const pieces = lines.flatMap((line) => /"delta":\{"content":"(.*?)"\}/.exec(line)?.[1] ?? []);
    expect(pieces).toEqual(['H', 'é', '!']);
    expect(lines.slice(-3)).toEqual(['data: [DONE]', '', '']);
  });

  it('gets errors with their status', async () => {
    const status = ['-o', '/dev/null', '-w', '%{http_code}'];
    const chat = `${api.url}/v1/chat/completions`;
    expect(await curl(...status, chat)).toBe('405');
    expect(await curl(...status, chat, '-d', CHAT)).toBe('415');
    expect(await curl(...status, chat, '-H', JSON_TYPE, '-d', '{')).toBe('400');
    expect(await curl(...status, `${api.url}/v1/nothing`)).toBe('404');
  });

  it('turns a text into tokens and back', async () => {
    const body = await curl(`${api.url}/tokenize`, '-H', JSON_TYPE, '-d', '{"content":"Hé"}');
    expect(JSON.parse(body)).toEqual({ tokens: [72, 195, 169] });
    expect(await curl(`${api.url}/detokenize`, '-H', JSON_TYPE, '-d', body)).toBe('{"content":"Hé"}');
  });

  it('is let go when it breaks off: the slot is free again', async () => {
    const slow = new FakeService({
      script: () => 'x'.repeat(4000),
      pace: () => new Promise((resolve) => setTimeout(resolve, 1)),
    });
    const other = await serveApi('fake', slow);
    const url = `${other.url}/v1/chat/completions`;
    const streaming = CHAT.replace('{', '{"stream":true,');
    const cut = curl('-N', url, '-H', JSON_TYPE, '-d', streaming, '--max-time', '0.5');
    await expect(cut).rejects.toMatchObject({ code: 28 });
    while (slow.active > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(slow.requests).toHaveLength(1);
    await other.close();
  });
});
