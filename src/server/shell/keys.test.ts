/** Files of API keys. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyCheck, readApiKeys } from './keys.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'bitmill-keys-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function read(text: string, mode = 0o600): Promise<{ keys: readonly string[]; warnings: string[] }> {
  const file = path.join(folder, 'keys');
  await writeFile(file, text);
  await chmod(file, mode);
  const warnings: string[] = [];
  return { keys: await readApiKeys(file, (message) => warnings.push(message)), warnings };
}

describe('keys', () => {
  it('are one a line, without comments and empty lines', async () => {
    expect(await read('# ours\r\nfirst-key\r\n\r\n  second-key  \n#third-key\n')).toEqual({
      keys: ['first-key', 'second-key'],
      warnings: [],
    });
  });

  it.each([0o644, 0o640, 0o604])(
    'in a file of mode %o: others can read them, which is said',
    async (mode) => {
      const { warnings } = await read('first-key\n', mode);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain('chmod 600');
    },
  );

  it.each([
    ['no key at all', '# nothing\n', 'has no key'],
    ['a key with a space', 'first-key\nsecond key\n', 'line 2: a key is printable ASCII without spaces'],
    ['a key with an umlaut', 'schlüssel-1\n', 'line 1: a key is printable ASCII without spaces'],
    ['a short key', 'short\n', 'line 1: a key has at least 8 characters'],
  ])('are refused where there is %s', async (_, text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it('need their file', async () => {
    const missing = readApiKeys(path.join(folder, 'nothing'), () => {});
    await expect(missing).rejects.toMatchObject({ kind: 'input' });
  });

  it('are told by their number', () => {
    const check = keyCheck(['first-key', 'second-key']);
    expect(check('Bearer second-key')).toBe(1);
    expect(check('bearer  first-key')).toBe(0);
    for (const wrong of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer first-key x',
      'first-key',
      'Bearer First-Key',
    ]) {
      expect(check(wrong)).toBeUndefined();
    }
  });
});
