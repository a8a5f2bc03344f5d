/** The real embedded model by its name, through the compiled program; its weights may not be there yet. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { EMBEDDED_MODELS } from '../src/platform/index.ts';
import { bitmill } from './cli.ts';

const FOLDER = EMBEDDED_MODELS.get('phi3-tiny') ?? '';
const missing = ['config.json', 'model.safetensors', 'tokenizer.json', 'calibration.txt'].filter(
  (name) => !existsSync(path.join(FOLDER, name)),
);
const reason = missing.length > 0 ? ` (skipped: models/phi3-tiny has no ${missing.join(', ')})` : '';

test.skipIf(missing.length > 0)(`phi3-tiny is made once, and answers by its name${reason}`, async () => {
  const cache = await mkdtemp(path.join(os.tmpdir(), 'bitmill-phi3-tiny-'));
  const env = { BITMILL_CACHE: cache };
  try {
    const first = bitmill(['run', '-m', 'phi3-tiny', '-p', 'What is 2 plus 3?', '--json'], env);
    expect(first.stderr).toContain('making phi3-tiny as Q8_0');
    expect(first.code).toBe(0);
    expect(JSON.parse(first.stdout).text).toContain('5');
    const second = bitmill(['inspect', 'phi3-tiny', '--json'], env);
    expect([second.code, second.stderr]).toEqual([0, '']);
    expect(JSON.parse(second.stdout).formats[0].format).toBe('Q8_0');
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
});
