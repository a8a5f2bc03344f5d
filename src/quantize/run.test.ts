/** Runs: right bytes, one pass, resumed after being cut off anywhere, refused input. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  BitmillError,
  type Executor,
  inlineExecutor,
  memorySource,
  type Progress,
  silentProgress,
} from '../core/index.ts';
import { type GgufFile, readGguf } from '../gguf/index.ts';
import { importanceFor } from '../imatrix/index.ts';
import { checksum, folderWorkspace, openGguf, sha256 } from '../platform/index.ts';
import { decode, encode, FORMATS } from '../quants/index.ts';
import {
  parseUserRecipe,
  planQuantization,
  type QuantizeOptions,
  recipeSet,
  runQuantization,
  type Workspace,
} from './index.ts';
import { buildImportance, buildModel, phiMetadata, phiTensors } from './testing.cases.ts';

const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-run-'));
afterAll(() => rmSync(ROOT, { recursive: true }));

/** A model with a tensor of several chunks. */
const TENSORS = [...phiTensors(1, 128), { name: 'blk.1.ffn_up.weight', shape: [128, 12000] }];
const MODEL = buildModel(TENSORS, phiMetadata(2));
const IMATRIX = buildImportance(TENSORS);
const OPTIONS: QuantizeOptions = {
  mixtures: ['Q8_0', 'Q5_0', 'BF16', 'F16'],
  recipes: recipeSet('llama.cpp-2026'),
  effort: 'fast',
  imatrix: IMATRIX,
  model: 'm',
  version: '1',
};

let folders = 0;
const newFolder = () => path.join(ROOT, String(folders++));

interface Settings {
  options?: Partial<QuantizeOptions>;
  bytes?: Uint8Array;
  executor?: Executor;
  memory?: number;
  identity?: string;
  progress?: Progress;
  wrap?: (workspace: Workspace) => Workspace;
  model?: (file: GgufFile) => GgufFile;
}

async function quantize(folder: string, settings: Settings = {}) {
  const { executor = inlineExecutor, memory = 2 ** 30, wrap = (it) => it, identity = 'x' } = settings;
  const opened = await readGguf(memorySource(settings.bytes ?? MODEL, 'm.gguf'));
  const plan = planQuantization(settings.model?.(opened) ?? opened, { ...OPTIONS, ...settings.options });
  return runQuantization(plan, {
    workspace: wrap(await folderWorkspace(folder)),
    executor,
    newHasher: sha256,
    checksum,
    progress: settings.progress ?? silentProgress,
    identity,
    memory,
  });
}

const hashes = async (folder: string, settings: Settings = {}) =>
  (await quantize(folder, settings)).files.map((file) => file.sha256);

const whole = newFolder();
const expected = await hashes(whole);

test('every tensor holds what its format makes of the whole tensor, and the manifest has its hash', async () => {
  const source = await readGguf(memorySource(MODEL));
  for (const type of ['Q8_0', 'Q5_0', 'BF16', 'F16']) {
    const file = await openGguf(path.join(whole, `m-${type}.gguf`));
    for (const tensor of file.tensors) {
      const original = source.find(tensor.name);
      if (!original) throw new Error(tensor.name);
      const data = await source.read(original);
      const weights = decode(original.format, data, original.weights);
      const importance = importanceFor(IMATRIX, tensor.name, tensor.shape[0]);
      const bytes =
        tensor.format === original.format
          ? data
          : encode(tensor.format, weights, tensor.shape[0], { importance });
      expect(Buffer.compare(await file.read(tensor), bytes), `${type} ${tensor.name}`).toBe(0);
    }
    await file.close();
  }
  const manifest = JSON.parse(readFileSync(path.join(whole, 'manifest.json'), 'utf8'));
  expect(manifest.files.map(({ sha256: sum }: { sha256: string }) => sum).sort()).toEqual(
    [...expected].sort(),
  );
  const file = readFileSync(path.join(whole, 'm-Q8_0.gguf'));
  expect(expected[0]).toBe(sha256().update(file).hex());
  expect(JSON.stringify(manifest)).not.toMatch(/someone|secret-folder/);
});

test('nothing but the files and the manifest is left', () => {
  expect(readdirSync(whole).sort()).toEqual([
    'm-BF16.gguf',
    'm-F16.gguf',
    'm-Q5_0.gguf',
    'm-Q8_0.gguf',
    'manifest.json',
  ]);
});

test('a tiny memory budget and out-of-order workers give the same bytes', async () => {
  let job = 0;
  const shuffled: Executor = {
    ...inlineExecutor,
    threads: 4,
    run: async (work, input) => {
      await new Promise((resolve) => setTimeout(resolve, (job++ % 3) * 3));
      return work.run(input);
    },
  };
  expect(await hashes(newFolder(), { executor: shuffled })).toEqual(expected);
  expect(await hashes(newFolder(), { memory: 1 })).toEqual(expected);
});

test('each chunk is read once, and encoded once for all files that want it', async () => {
  const targets: string[] = [];
  let read = 0;
  const counting: Executor = {
    ...inlineExecutor,
    run: (job, input) => {
      const { targets: wanted, bytes } = input as { targets: { format: string }[]; bytes: Uint8Array };
      read += bytes.length;
      targets.push(...wanted.map(({ format }) => format));
      return inlineExecutor.run(job, input);
    },
  };
  const same = parseUserRecipe('{ "name": "same", "default": "Q8_0", "rules": [] }', 'r');
  await quantize(newFolder(), { executor: counting, options: { mixtures: ['Q8_0', same, 'F16'] } });
  const source = await readGguf(memorySource(MODEL));
  expect(read).toBe(source.tensors.reduce((sum, { bytes }) => sum + bytes, 0));
  expect(targets.filter((name) => name === 'Q8_0')).toHaveLength(8);
});

/** A workspace that fails at its n-th write. */
function failing(after: number): (workspace: Workspace) => Workspace {
  let writes = 0;
  const tick = () => {
    if (++writes > after) throw new Error('simulated crash');
  };
  return (workspace) => ({
    ...workspace,
    openPartial: async (...args) => {
      const file = await workspace.openPartial(...args);
      return {
        ...file,
        write: async (offset, bytes) => {
          tick();
          await file.write(offset, bytes);
        },
      };
    },
    finish: async (name) => {
      tick();
      await workspace.finish(name);
    },
  });
}

test.each([0, 3, 4, 5, 9, 17, 30, 41, 44, 47])(
  'cut off after %i writes, a run resumes to the same bytes',
  async (n) => {
    const folder = newFolder();
    await expect(quantize(folder, { wrap: failing(n) })).rejects.toThrow('simulated crash');
    const resumed = await quantize(folder);
    expect(resumed.files.map((file) => file.sha256)).toEqual(expected);
    if (n > 10) expect(resumed.resumedBytes).toBeGreaterThan(0);
    expect(readdirSync(folder).filter((name) => /partial|journal/.test(name))).toEqual([]);
  },
);

test('a torn last line and damaged bytes cost only the chunks that they concern', async () => {
  const folder = newFolder();
  await expect(quantize(folder, { wrap: failing(42) })).rejects.toThrow('simulated crash');
  const journal = path.join(folder, '.bitmill-quantize.journal');
  writeFileSync(journal, readFileSync(journal, 'utf8').slice(0, -20));
  const partial = path.join(folder, 'm-Q8_0.gguf.partial');
  const bytes = readFileSync(partial);
  bytes.fill(7, bytes.length - 5000);
  writeFileSync(partial, bytes);
  const resumed = await quantize(folder);
  expect(resumed.files.map((file) => file.sha256)).toEqual(expected);
  expect(resumed.resumedBytes).toBeGreaterThan(0);
});

test('another plan or another input starts anew, says so, and drops the old partial files', async () => {
  const warnings: string[] = [];
  const progress = { ...silentProgress, warn: (message: string) => void warnings.push(message) };
  const folder = newFolder();
  await expect(quantize(folder, { wrap: failing(20) })).rejects.toThrow('simulated crash');
  const { resumedBytes } = await quantize(folder, {
    progress,
    identity: 'y',
    options: { mixtures: ['Q8_0'] },
  });
  expect(resumedBytes).toBe(0);
  expect(warnings.join()).toContain('an unfinished run had other settings or input; starting anew');
  expect(readdirSync(folder).sort()).toEqual(['m-Q8_0.gguf', 'manifest.json']);
});

test('a finished run is not repeated, but a file that was changed since is', async () => {
  const folder = newFolder();
  await quantize(folder);
  let jobs = 0;
  const counting: Executor = {
    ...inlineExecutor,
    run: (job, input) => {
      jobs++;
      return inlineExecutor.run(job, input);
    },
  };
  expect(await hashes(folder, { executor: counting })).toEqual(expected);
  expect(jobs).toBe(0);
  const file = path.join(folder, 'm-BF16.gguf');
  writeFileSync(file, readFileSync(file).fill(1, 5000, 5001));
  expect(await hashes(folder, { executor: counting })).toEqual(expected);
  expect(jobs).toBeGreaterThan(0);
});

test('the manifest keeps the files of other runs into the same folder', async () => {
  const folder = newFolder();
  await quantize(folder, { options: { mixtures: ['Q8_0'] } });
  await quantize(folder, { options: { mixtures: ['F16'], effort: 'best' } });
  const manifest = JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8'));
  expect(manifest.files.map(({ name }: { name: string }) => name)).toEqual(['m-F16.gguf', 'm-Q8_0.gguf']);
  expect(Object.keys(manifest.runs)).toHaveLength(2);
});

test('asked for one type more, only that is made, and the manifest is that of one run for both', async () => {
  const [folder, whole] = [newFolder(), newFolder()];
  const read = (from: string, name: string) => readFileSync(path.join(from, name), 'utf8');
  await quantize(folder, { options: { mixtures: ['Q8_0'] } });
  const { mtimeMs } = statSync(path.join(folder, 'm-Q8_0.gguf'));
  await quantize(folder, { options: { mixtures: ['Q4_0', 'Q8_0'] } });
  await quantize(whole, { options: { mixtures: ['Q4_0', 'Q8_0'] } });
  expect(statSync(path.join(folder, 'm-Q8_0.gguf')).mtimeMs).toBe(mtimeMs);
  expect(read(folder, 'manifest.json')).toBe(read(whole, 'manifest.json'));
});

test('a disk that is too small is said so before anything is written', async () => {
  const folder = newFolder();
  const wrap = (workspace: Workspace): Workspace => ({ ...workspace, free: async () => 2 ** 20 });
  await expect(quantize(folder, { wrap })).rejects.toThrow(
    /: the files take \d+\.\d MiB, but 1\.0 MiB are free$/,
  );
  expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
});

test('a weight that is not finite is named with its tensor and index', async () => {
  const values = new Float32Array(256).fill(1);
  values[200] = Number.NaN;
  const bytes = buildModel([{ name: 'blk.0.ffn_up.weight', shape: [128, 2], values }], phiMetadata(1));
  const error = await quantize(newFolder(), { bytes, options: { imatrix: null } }).catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BitmillError);
  expect((error as BitmillError).message).toBe(
    'm.gguf: tensor blk.0.ffn_up.weight: weight 200 is NaN; a model with such weights cannot be quantized',
  );
  expect((error as BitmillError).exitCode).toBe(3);
});

test('experts use the importance of their own columns', async () => {
  const name = 'blk.0.ffn_up_exps.weight';
  const bytes = buildModel([{ name, shape: [128, 4, 2] }], phiMetadata(1));
  const sums = Float32Array.from({ length: 256 }, (_, i) => (i % 7) + (i < 128 ? 1 : 100 * (i % 2)));
  const entries = new Map([[name, { sums, counts: Float32Array.of(1, 1) }]]);
  const folder = newFolder();
  await quantize(folder, { bytes, options: { imatrix: { ...IMATRIX, entries }, mixtures: ['IQ4_NL'] } });
  const file = await openGguf(path.join(folder, 'm-IQ4_NL.gguf'));
  const source = await readGguf(memorySource(bytes));
  const weights = decode(FORMATS.F16, await source.read(source.tensors[0]), 1024);
  const half = (at: number) =>
    encode(FORMATS.IQ4_NL, weights.slice(512 * at, 512 * at + 512), 128, {
      importance: sums.slice(128 * at, 128 * at + 128),
    });
  expect(await file.read(file.tensors[0])).toEqual(Uint8Array.from([...half(0), ...half(1)]));
  await file.close();
});
