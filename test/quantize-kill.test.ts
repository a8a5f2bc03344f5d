/**
 * kill -9 at 20 random moments of the real command, then the same command again: the bytes of an undisturbed
 * run. Each kill hits a run that goes on from where the one before was killed; finished ones start over.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { buildModel, phiMetadata, phiTensors } from '../src/quantize/testing.cases.ts';
import { uniform } from './random.ts';

const CLI = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));
const BUILT = existsSync(fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)));
if (!BUILT) console.warn('kill test skipped: dist/ is not built');

const KILLS = 20;
const TYPES = 'Q8_0,Q5_0,Q4_0,BF16,Q6_K,Q3_K_S';
const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-kill-'));
afterAll(() => rmSync(ROOT, { recursive: true }));

/**
 * Runs the command; with `killAfter` milliseconds of work (counted from the first line of its journal) kills it.
 * @returns whether it finished, what it printed, and how long it worked.
 */
function run(model: string, folder: string, threads: number, killAfter?: number) {
  const args = [
    CLI,
    'quantize',
    model,
    '-o',
    folder,
    '--types',
    TYPES,
    '--threads',
    String(threads),
    '--json',
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString();
  });
  let began: number | undefined;
  const watch = setInterval(() => {
    began ??= existsSync(path.join(folder, '.bitmill-quantize.journal')) ? Date.now() : undefined;
    if (began && killAfter !== undefined && Date.now() - began >= killAfter) child.kill('SIGKILL');
  }, 2);
  return new Promise<{ finished: boolean; out: string; worked: number }>((resolve) => {
    child.on('close', (code) => {
      clearInterval(watch);
      resolve({ finished: code === 0, out, worked: Date.now() - (began ?? Date.now()) });
    });
  });
}

/** SHA-256 of each file by name, as printed and as the manifest has them. */
function hashes(folder: string, out: string): Record<string, string> {
  const { types } = JSON.parse(out) as { types: { files: { name: string; sha256: string }[] }[] };
  const printed = types.flatMap(({ files }) => files.map(({ name, sha256 }) => [name, sha256] as const));
  const manifest = JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8')) as {
    files: { name: string; sha256: string }[];
  };
  const listed = manifest.files.map(({ name, sha256 }) => [name, sha256] as const);
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(printed));
  return Object.fromEntries(printed);
}

test.skipIf(!BUILT)(
  `${KILLS} kills at random moments, each followed by the same command, end in the undisturbed bytes`,
  async () => {
    const model = path.join(ROOT, 'tiny.gguf');
    writeFileSync(model, buildModel(phiTensors(4, 512), phiMetadata(4)));
    const calm = await run(model, path.join(ROOT, 'calm'), 1);
    const expected = hashes(path.join(ROOT, 'calm'), calm.out);
    expect(Object.keys(expected)).toHaveLength(6);
    const random = uniform(20);
    let folder = path.join(ROOT, '0');
    const finishedFolders: string[] = [];
    let kills = 0;
    let resumed = 0;
    for (let round = 0; kills < KILLS; round++) {
      expect(round, 'runs that end before their kill').toBeLessThan(3 * KILLS);
      const killed = await run(model, folder, 1 + (round % 2), random() * calm.worked * 0.7);
      if (!killed.finished) kills++;
      else {
        expect(hashes(folder, killed.out)).toEqual(expected);
        finishedFolders.push(folder);
        resumed += JSON.parse(killed.out).resumed_bytes;
        folder = path.join(ROOT, String(round + 1));
      }
    }
    const last = await run(model, folder, 2);
    expect(last.finished).toBe(true);
    resumed += JSON.parse(last.out).resumed_bytes;
    expect(resumed, 'bytes that runs found done').toBeGreaterThan(0);
    expect(hashes(folder, last.out)).toEqual(expected);
    for (const done of [...finishedFolders, folder]) {
      expect(readdirSync(done).filter((name) => /partial|journal/.test(name))).toEqual([]);
    }
  },
  300_000,
);
