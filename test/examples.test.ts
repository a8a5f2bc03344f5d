/** The examples run as they are, with the embedded model. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const FOLDER = fileURLToPath(new URL('../examples/', import.meta.url));
const BIN = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));

function run(name: string, env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${FOLDER}${name}`], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return stdout;
}

/** What each prints. */
const PRINTED: Readonly<Record<string, RegExp>> = {
  'pipeline.mjs': /^.+\nOnce upon a time.+\n(.*\n)*The sun.+\n/,
  'streaming.mjs': /^(.+)\n\[stop after \d+ tokens\]\n.+\nin half a second: Once upon a time/,
  'json-schema.mjs': /^\{ city: '.*', country: '(France|Italy|Spain)', capital: (true|false) \}\n$/,
  'embeddings.mjs': /^0\.\d{3} Paris is the capital of France\.\n(-?\d\.\d{3} .+\n){2}$/,
  'openai-client.mjs': /^.+\n\[\d+ \+ \d+ tokens\]\n$/,
};

let server: ChildProcess | undefined;
afterAll(() => void server?.kill('SIGKILL'));

/** The address that a fresh server says it listens on. */
async function serve(): Promise<string> {
  const args = [
    BIN,
    'serve',
    '-m',
    'phi3-tiny',
    '--port',
    '0',
    '--json',
    '-t',
    '1',
    '-c',
    '512',
    '--slots',
    '2',
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  server = child;
  let said = '';
  for await (const piece of child.stdout) {
    said += piece;
    if (said.includes('\n')) break;
  }
  return `${(JSON.parse(said) as { url: string }).url}/v1`;
}

describe('examples', () => {
  test('each has its expectation here', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(Object.keys(PRINTED).sort());
  });

  const alone = Object.keys(PRINTED).filter((name) => name !== 'openai-client.mjs');
  test.each(alone)('%s prints what it says', (name) => {
    expect(run(name)).toMatch(PRINTED[name]);
  });

  test('openai-client.mjs talks with bitmill serve', async () => {
    const url = await serve();
    expect(run('openai-client.mjs', { OPENAI_BASE_URL: url })).toMatch(PRINTED['openai-client.mjs']);
  });
});
