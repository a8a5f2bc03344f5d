/** `bitmill serve` as a child process, with the embedded model. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bitmill } from './cli.ts';
import { BIN, killAll, startServe } from './serve-child.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'bitmill-serve-'));
});
afterAll(async () => {
  killAll();
  await rm(folder, { recursive: true, force: true });
});

function ask(
  url: string,
  body: object,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ temperature: 0, ...body }),
    ...(signal ? { signal } : {}),
  });
}

const FRANCE = [{ role: 'user', content: 'What is the capital of France?' }];
/** The grammar wants more text than there are tokens. */
const LONG = { messages: FRANCE, grammar: 'root ::= [a-z ]{2000}', max_tokens: 200, stream: true };

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('bitmill serve', () => {
  it('says when it is ready, answers, counts, and ends with 0 on SIGTERM', async () => {
    const { ready, child, stderr, exit } = await startServe('--slots', '2');
    expect(ready).toMatchObject({
      models: [{ id: 'phi3-tiny', fileType: 'Q8_0', contextSize: 256 }],
      slots: 2,
      pid: child.pid,
    });
    expect(stderr()).toContain('phi3-tiny (Q8_0): 2 slots of 256 positions');
    expect(stderr()).toContain(`curl ${ready.url}/v1/chat/completions`);
    const { url } = ready;
    expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok' });
    const answer = (await (await ask(url, { messages: FRANCE })).json()) as {
      choices: { message: { content: string } }[];
    };
    expect(answer.choices[0].message.content).toContain('Paris');
    expect(await metric(url, 'bitmill_generated_tokens_total')).toBeGreaterThan(0);
    expect(await metric(url, 'bitmill_slots')).toBe(2);
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
    const lines = stderr()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual(
      expect.objectContaining({
        route: '/v1/chat/completions',
        status: 200,
        model: 'phi3-tiny',
        outcome: 'stop',
      }),
    );
    expect(stderr()).not.toMatch(/France|Paris/);
  });

  it('gives the slot of an asker that leaves to the next, and finishes what runs when it is stopped', async () => {
    const { ready, child, exit } = await startServe('--slots', '1');
    const { url } = ready;
    const leaving = new AbortController();
    const left = await ask(url, LONG, {}, leaving.signal);
    await left.body?.getReader().read();
    expect(await metric(url, 'bitmill_slots_active')).toBe(1);
    leaving.abort();
    await until(async () => (await metric(url, 'bitmill_slots_active')) === 0);
    const next = await ask(url, LONG);
    const reader = next.body?.getReader();
    await reader?.read();
    child.kill('SIGTERM');
    let text = '';
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
      text += new TextDecoder().decode(piece.value);
    }
    expect(text).toContain('"finish_reason":"length"');
    expect(text).toContain('data: [DONE]');
    expect(await exit).toBe(0);
  });

  it('answers bad requests with what is wrong, and goes on', async () => {
    const { ready, child, exit } = await startServe('--slots', '1', '--max-body', '1KiB');
    const { url } = ready;
    const post = (body: string, type = 'application/json'): Promise<Response> =>
      fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': type }, body });
    const cases: readonly (readonly [Promise<Response>, number])[] = [
      [post('{"messages":'), 400],
      [post('[]'), 400],
      [post('{"messages":"hello"}'), 400],
      [post('{"messages":[{"role":"user","content":1}]}'), 400],
      [post(`{"messages":[{"role":"user","content":"${'x'.repeat(2000)}"}]}`), 413],
      [post('{"model":"other","messages":[{"role":"user","content":"x"}]}'), 404],
      [post('{}', 'text/plain'), 415],
      [fetch(`${url}/v1/chat/completions`), 405],
      [fetch(`${url}/v1/nothing`), 404],
    ];
    for (const [response, status] of cases) {
      const { status: found, headers } = await response;
      expect(found).toBe(status);
      expect(headers.get('content-type')).toContain('application/json');
      expect(await (await response).json()).toMatchObject({ error: { message: expect.any(String) } });
    }
    expect((await ask(url, { messages: FRANCE })).status).toBe(200);
    child.kill('SIGINT');
    expect(await exit).toBe(0);
  });

  it('ends at once on a second signal', async () => {
    const { ready, child, stderr, exit } = await startServe('--slots', '1');
    const response = await ask(ready.url, { ...LONG, n: 16 });
    const reader = response.body?.getReader();
    await reader?.read();
    child.kill('SIGTERM');
    await until(async () => stderr().includes('stopping'));
    child.kill('SIGINT');
    expect(await exit).toBe(0);
    expect(stderr()).toContain('1 answer was cut off');
    await reader?.cancel().catch(() => {});
  });

  it('wants a key where there is a file of keys', async () => {
    const keys = path.join(folder, 'keys');
    await writeFile(keys, '# ours\nsecret-key-1\n', { mode: 0o644 });
    const { ready, child, stderr, exit } = await startServe(
      '--slots',
      '1',
      '--api-key-file',
      keys,
      '--host',
      '0.0.0.0',
    );
    expect(stderr()).toContain('other users of this machine can read the keys');
    const { url } = ready;
    expect(url).toBe(`http://127.0.0.1:${ready.port}`);
    expect((await ask(url, { messages: FRANCE })).status).toBe(401);
    expect((await ask(url, { messages: FRANCE }, { authorization: 'Bearer secret-key-1' })).status).toBe(200);
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
    expect(stderr()).not.toContain('secret-key-1');
  });

  it('says that its port is in use before it reads a model: exit code 5', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const child = spawn(process.execPath, [BIN, 'serve', '-m', 'phi3-tiny', '--port', String(port)]);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = await once(child, 'exit');
    other.close();
    expect(code).toBe(5);
    expect(stderr).toBe(
      `error: 127.0.0.1:${port} is in use\nhint: another --port, or 0 for any that is free\n`,
    );
  });

  it.each([
    [['--host', '0.0.0.0'], 2, 'anybody who reaches this machine could use the models'],
    [['--port', '70000'], 2, '--port 70000: 0 to 65535 is allowed'],
    [['--cors', 'chat.example'], 2, '--cors chat.example: is no origin'],
    [['--connect', 'https://a.example/path'], 2, 'is no origin'],
    [['--slots', '0'], 2, '--slots 0: 1 to 1024 is allowed'],
    [['-m', 'a/x.gguf', 'b/x.gguf'], 2, 'would both be called x'],
    [['-m', 'nothing.gguf'], 3, 'nothing.gguf: no such file'],
    [['--api-key-file', 'nothing'], 3, 'nothing: no such file'],
    [['--web', 'nothing'], 3, 'nothing: no such file'],
    [['--slots', '1024', '-c', '4096'], 5, 'need'],
  ])('refuses %j with code %i', (args, code, message) => {
    const model = args.includes('-m') ? [] : ['-m', 'phi3-tiny'];
    const result = bitmill(['serve', ...model, '--port', '0', ...args]);
    expect(result.stderr).toContain(message);
    expect(result.code).toBe(code);
    expect(result.stdout).toBe('');
  });
});
