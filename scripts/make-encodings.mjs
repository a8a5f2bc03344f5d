/**
 * Makes `test/fixtures/encodings.txt`: what GNU as makes of every sample of the native backend's assembler, a line each:
 * hex, a blank, the text. Run it after a change of the samples or the tables; needs `as` and `objcopy` 2.40 or later.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runnerImport } from 'vite';

const root = path.join(import.meta.dirname, '..');
const x64 = (file) => runnerImport(path.join(root, 'src/backends/native/x64', file), { root });

const { module: vector } = await x64('encodings-vector.cases.ts');
const { module: general } = await x64('encodings-general.cases.ts');
const texts = [...new Set([...general.generalSamples, ...vector.vectorSamples()].map(({ text }) => text))];

/** No instruction is longer than 15 bytes: each starts 32 bytes behind the one before. */
const STEP = 32;

/** The lines that errors name, three lines of source each, with the errors. */
function refused(errors, lines) {
  return [...errors.matchAll(/all\.s:(\d+): (.*)/g)]
    .map(([, number, why]) => `${lines[Math.floor((number - 2) / 3)]}: ${why}`)
    .join('\n');
}

function assemble(lines) {
  const folder = mkdtempSync(path.join(tmpdir(), 'encodings-'));
  const at = (name) => path.join(folder, name);
  try {
    // A byte that ends no instruction stands behind each; it is taken off with the filler.
    const source = lines.map((line) => `.balign ${STEP}, 0\n${line}\n.byte 0xa5`);
    writeFileSync(at('all.s'), `.intel_syntax noprefix\n${source.join('\n')}\n`);
    const { status, stderr } = spawnSync('as', ['--64', '-o', at('all.o'), at('all.s')], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`GNU as refuses:\n${refused(stderr, lines)}`);
    execFileSync('objcopy', ['-O', 'binary', '-j', '.text', at('all.o'), at('all.bin')]);
    return readFileSync(at('all.bin'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const code = assemble(texts);
const lines = texts.map((text, i) => {
  const bytes = code.subarray(i * STEP, (i + 1) * STEP);
  return `${bytes.subarray(0, bytes.lastIndexOf(0xa5)).toString('hex')} ${text}`;
});
writeFileSync(path.join(root, 'test/fixtures/encodings.txt'), `${lines.join('\n')}\n`);
console.log(`${lines.length} encodings`);
