/**
 * `bitmill hash`: SHA-256 of every tensor and of all tensor data, and the check against a manifest. Lines are
 * those of llama.cpp's `llama-gguf-hash --sha256`, whose manifests are understood, too.
 */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { EXIT_CODES, inputError } from '../../core/index.ts';
import { quoted } from '../../gguf/index.ts';
import { fileError, type GgufHashes, hashGguf } from '../../platform/index.ts';
import { dataBytes, withGguf } from '../gguf.ts';
import { printJson, terminalProgress } from '../terminal.ts';

/** Key of the hash of all tensor data among those of tensors, whose names are never empty. */
const MODEL = '';

/** Hex by tensor name; the whole model under `MODEL`. */
type Manifest = ReadonlyMap<string, string>;

function manifestOf({ tensors, model }: GgufHashes): Manifest {
  return new Map([...tensors, [MODEL, model]]);
}

function manifestText(file: string, manifest: Manifest): string {
  const lines = [...manifest].map(
    ([name, hex]) => `sha256    ${hex}  ${file}${name === MODEL ? '' : `:${name}`}`,
  );
  return `${lines.join('\n')}\n`;
}

/**
 * The sha256 lines of a manifest; file paths in it do not matter, lines of other kinds of hashes are skipped.
 * Paths and tensor names may hold colons, so the path is learned from the line of the whole model.
 */
async function readManifest(file: string): Promise<Manifest> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw fileError(file, error);
  });
  const lines = text.split(/\r?\n/).filter((line) => line.startsWith('sha256'));
  const parsed = lines.map((line) => {
    const match = /^sha256 +([0-9a-f]{64}) {2}(.+)$/.exec(line);
    if (!match) throw inputError(file, `${quoted(line)} is no line of a manifest`);
    return { hex: match[1], subject: match[2] };
  });
  const model = parsed.find(({ subject }) => parsed.every((other) => other.subject.startsWith(subject)));
  if (!model) throw inputError(file, 'has no sha256 line for the whole model: it is no manifest of one file');
  return new Map(
    parsed.map(({ hex, subject }) => [
      subject === model.subject ? MODEL : subject.slice(model.subject.length + 1),
      hex,
    ]),
  );
}

interface Mismatch {
  /** Null for the whole model. */
  readonly tensor: string | null;
  readonly problem: 'differs' | 'not in the manifest' | 'not in the file';
}

function mismatches(actual: Manifest, expected: Manifest): Mismatch[] {
  const problems: Mismatch[] = [];
  for (const name of new Set([...actual.keys(), ...expected.keys()])) {
    const tensor = name === MODEL ? null : name;
    if (!expected.has(name)) problems.push({ tensor, problem: 'not in the manifest' });
    else if (!actual.has(name)) problems.push({ tensor, problem: 'not in the file' });
    else if (actual.get(name) !== expected.get(name)) problems.push({ tensor, problem: 'differs' });
  }
  return problems;
}

function hashFile(name: string): Promise<Manifest> {
  return withGguf(name, async (file) => {
    const progress = terminalProgress();
    progress.start('hashing', dataBytes(file.tensors), 'bytes');
    let done = 0;
    try {
      const hashes = await hashGguf(file, (bytes) => {
        done += bytes;
        progress.update(done);
      });
      return manifestOf(hashes);
    } finally {
      progress.stop();
    }
  });
}

function reportCheck(
  file: string,
  problems: readonly Mismatch[],
  count: number,
  json: boolean | undefined,
): void {
  if (json) printJson({ file, ok: problems.length === 0, problems });
  else if (problems.length === 0) process.stdout.write(`ok: ${count} tensors of ${file}\n`);
  else {
    for (const { tensor, problem } of problems) {
      process.stdout.write(`${tensor === null ? 'whole model' : quoted(tensor)}: ${problem}\n`);
    }
  }
  if (problems.length > 0) process.exitCode = EXIT_CODES.check;
}

export function defineHash(command: Command): void {
  command
    .name('hash')
    .description('print or check SHA-256 of every tensor and of the whole model (metadata does not count)')
    .argument('<file>', 'GGUF file, any one of its shards, or an address')
    .option(
      '--check <manifest>',
      'compare with the printed lines of an earlier run; exits with 6 on a mismatch',
    )
    .option('--json', 'print JSON')
    .action(async (file: string, { check, json }: { check?: string; json?: boolean }) => {
      const expected = check === undefined ? undefined : await readManifest(check);
      const actual = await hashFile(file);
      if (expected) reportCheck(file, mismatches(actual, expected), actual.size - 1, json);
      else if (json) {
        const tensors = Object.fromEntries([...actual].filter(([name]) => name !== MODEL));
        printJson({ file, algorithm: 'sha256', model: actual.get(MODEL), tensors });
      } else process.stdout.write(manifestText(file, actual));
    });
}
