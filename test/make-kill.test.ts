/**
 * kill -9 of `bitmill make` at 20 random moments, then the same command again: the bytes of an undisturbed run. Moments
 * are spread over the steps: a random time after a random step's line. Each kill hits a run that goes on from where the
 * one before was killed; finished ones start over.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { publishedFiles, writeMakeCheckpoint } from './make-checkpoint.ts';
import { uniform } from './random.ts';

const CLI = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));
const BUILT = existsSync(fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)));
if (!BUILT) console.warn('kill test skipped: dist/ is not built');

const KILLS = 20;
/** Milliseconds after the line of a step. */
const LATEST = 250;
const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-make-kill-'));
const CHECKPOINT = path.join(ROOT, 'tiny');
const OPTIONS = ['--types', 'Q8_0,Q5_0,Q4_1', '-c', '32', '--threads', '1'];
afterAll(() => rmSync(ROOT, { recursive: true }));

/** When to kill: so long after so many steps are done. */
interface Moment {
  readonly lines: number;
  readonly delay: number;
}

interface Ended {
  readonly finished: boolean;
  /** Lines of steps. */
  readonly lines: readonly string[];
}

function run(folder: string, kill?: Moment): Promise<Ended> {
  const args = [CLI, 'make', CHECKPOINT, '-o', folder, ...OPTIONS];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  let armed = false;
  const lines = () => text.split('\n').filter((line) => / {2}(unchanged|[\d.]+ s)/.test(line));
  const look = () => {
    if (!kill || armed || lines().length < kill.lines) return;
    armed = true;
    setTimeout(() => child.kill('SIGKILL'), kill.delay);
  };
  child.stderr.on('data', (data: Buffer) => {
    text += data.toString();
    look();
  });
  look();
  return new Promise((resolve) => {
    child.on('close', (code) => {
      if (code !== null && code !== 0) throw new Error(`exit code ${code}: ${text}`);
      resolve({ finished: code === 0, lines: lines() });
    });
  });
}

test.skipIf(!BUILT)(
  `${KILLS} kills at random moments, each followed by the same command, end in the undisturbed bytes`,
  async () => {
    writeMakeCheckpoint(CHECKPOINT);
    const calm = await run(path.join(ROOT, 'calm'));
    const expected = publishedFiles(path.join(ROOT, 'calm'));
    expect([...expected.keys()].filter((name) => /gguf$/.test(name))).toEqual([
      'tiny-BF16.gguf',
      'tiny-Q4_1.gguf',
      'tiny-Q5_0.gguf',
      'tiny-Q8_0.gguf',
      'tiny.imatrix.gguf',
    ]);
    expect([...expected.keys()]).toEqual(
      expect.arrayContaining(['README.md', 'bitmill.json', 'manifest.json', 'images/loss.png']),
    );
    expect(calm.lines.filter((line) => line.includes('unchanged'))).toEqual([]);
    const random = uniform(4);
    let [kills, unchanged, next] = [0, 0, 0];
    let folder = path.join(ROOT, String(next));
    for (let round = 0; kills < KILLS; round++) {
      expect(round, 'runs that end before their kill').toBeLessThan(2 * KILLS);
      const moment = { lines: Math.floor(random() * calm.lines.length), delay: random() * LATEST };
      const { finished, lines } = await run(folder, moment);
      unchanged += lines.filter((line) => line.includes('unchanged')).length;
      if (!finished) kills++;
      else {
        expect(publishedFiles(folder)).toEqual(expected);
        folder = path.join(ROOT, String(++next));
      }
    }
    expect((await run(folder)).finished).toBe(true);
    expect(publishedFiles(folder)).toEqual(expected);
    expect(unchanged, 'steps that runs found done').toBeGreaterThan(KILLS);
  },
  600_000,
);
