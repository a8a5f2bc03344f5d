/** Embedded models by name, with a tiny checkpoint in the place of a real one; the commands run in this process. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ggufPath } from '../src/cli/embedded.ts';
import { main } from '../src/cli/main.ts';
import { VERSION } from '../src/cli/version.ts';
import { EMBEDDED_MODELS, embeddedModel } from '../src/platform/index.ts';
import { normal, sample } from './random.ts';
import { phi3Files, TINY, tensorOf } from './tiny-checkpoints.ts';

/** Width of the tiny model: one block of the formats that need a matrix. */
const E = 256;
const LAYER = 'model.layers.0';
const SHAPES: Readonly<Record<string, readonly number[]>> = {
  'lm_head.weight': [TINY.V, E],
  'model.embed_tokens.weight': [TINY.V, E],
  [`${LAYER}.input_layernorm.weight`]: [E],
  [`${LAYER}.mlp.down_proj.weight`]: [E, E],
  [`${LAYER}.mlp.gate_up_proj.weight`]: [2 * E, E],
  [`${LAYER}.post_attention_layernorm.weight`]: [E],
  [`${LAYER}.self_attn.o_proj.weight`]: [E, E],
  [`${LAYER}.self_attn.qkv_proj.weight`]: [3 * E, E],
  'model.norm.weight': [E],
};

async function writeTiny(folder: string): Promise<void> {
  const next = normal(3);
  const tensors = Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape]) => {
      const size = shape.reduce((product, n) => product * n, 1);
      return [name, tensorOf('BF16', shape, sample(size, next, 0.05))];
    }),
  );
  const config = { hidden_size: E, intermediate_size: E, num_attention_heads: 4, num_key_value_heads: 4 };
  const files: Readonly<Record<string, unknown>> = {
    ...phi3Files({ config, tensors }),
    'calibration.txt': 'a b a a b '.repeat(60),
  };
  await mkdir(folder, { recursive: true });
  for (const [name, value] of Object.entries(files)) {
    const whole = value instanceof Uint8Array || typeof value === 'string' ? value : JSON.stringify(value);
    await writeFile(path.join(folder, name), whole);
  }
}

let home = '';
let checkpoint = '';
let cache = '';
const real = new Map(EMBEDDED_MODELS);

/** Runs a command in this process. */
async function run(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  process.exitCode = 0;
  try {
    await main(['node', 'bitmill', ...args]);
    return { code: process.exitCode, ...said };
  } finally {
    process.exitCode = 0;
    for (const spy of spies) spy.mockRestore();
  }
}

/** Files of the cache by name, without their folders. */
async function cached(): Promise<string[]> {
  const all = await readdir(cache, { recursive: true, withFileTypes: true }).catch(() => []);
  return all
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort();
}

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'bitmill-embedded-'));
  checkpoint = path.join(home, 'checkpoint');
  await writeTiny(checkpoint);
  EMBEDDED_MODELS.clear();
  EMBEDDED_MODELS.set('phi3-tiny', checkpoint);
});
beforeEach(async () => {
  cache = await mkdtemp(path.join(home, 'cache-'));
  process.env['BITMILL_CACHE'] = cache;
});
afterAll(async () => {
  delete process.env['BITMILL_CACHE'];
  EMBEDDED_MODELS.clear();
  for (const [name, folder] of real) EMBEDDED_MODELS.set(name, folder);
  await rm(home, { recursive: true, force: true });
});

describe('names', () => {
  test('a bare name is the embedded model, with a type after a colon; anything like a path is not', () => {
    expect(embeddedModel('phi3-tiny')).toEqual({ name: 'phi3-tiny', folder: checkpoint });
    expect(embeddedModel('phi3-tiny:IQ2_XS')?.type).toBe('IQ2_XS');
    for (const name of [
      './phi3-tiny',
      'phi3-tiny/',
      'phi3-tiny.gguf',
      'x/phi3-tiny',
      'PHI3-TINY',
      'toString',
      '',
    ]) {
      expect(embeddedModel(name)).toBe(undefined);
    }
  });

  test('a path that exists keeps its meaning, and one that does not its error', async () => {
    expect(await ggufPath('./phi3-tiny', 'quant')).toBe('./phi3-tiny');
    expect(await ggufPath('https://x.org/phi3-tiny', 'quant')).toBe('https://x.org/phi3-tiny');
  });

  test('a bare name that leads nowhere lists the embedded ones', async () => {
    for (const args of [
      ['inspect', 'nope'],
      ['convert', 'nope', '-o', path.join(home, 'x.gguf')],
    ]) {
      const { code, stderr } = await run(...args);
      expect(code).toBe(3);
      expect(stderr).toMatch(/error: nope: no such f.*\n.*models that come with bitmill: phi3-tiny/);
    }
  });

  test('a type that is none is a usage error; a checkpoint has none', async () => {
    const unknown = await run('inspect', 'phi3-tiny:Q9_9');
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('unknown file type "Q9_9"')]);
    const typed = await run('convert', 'phi3-tiny:Q8_0', '-o', path.join(home, 'x.gguf'));
    expect([typed.code, typed.stderr]).toEqual([3, expect.stringContaining('a checkpoint has no file type')]);
    expect(await cached()).toEqual([]);
  });
});

describe('a command that takes a GGUF', () => {
  test('gets Q8_0, made on first use, which is said in one line, and found from then on', async () => {
    const first = await run('inspect', 'phi3-tiny', '--json');
    expect(first.code).toBe(0);
    expect(first.stderr).toMatch(/^making phi3-tiny as Q8_0, kept in .*\n$/);
    const { file, formats } = JSON.parse(first.stdout);
    expect(file.startsWith(path.join(cache, 'phi3-tiny'))).toBe(true);
    expect(path.basename(path.dirname(file))).toMatch(
      new RegExp(`^[0-9a-f]{16}-${VERSION.replaceAll('.', '\\.')}$`),
    );
    expect(formats[0].format).toBe('Q8_0');
    const second = await run('inspect', 'phi3-tiny', '--json');
    expect([second.stderr, second.stdout]).toEqual(['', first.stdout]);
    expect(await cached()).toEqual(['phi3-tiny-BF16.gguf', 'phi3-tiny-Q8_0.gguf']);
  });

  test('gets the type that is named; BF16 is only converted', async () => {
    const { stdout } = await run('inspect', 'phi3-tiny:bf16', '--json');
    expect(JSON.parse(stdout).formats.map(({ format }: { format: string }) => format)).toEqual([
      'BF16',
      'F32',
    ]);
    expect(await cached()).toEqual(['phi3-tiny-BF16.gguf']);
  });

  test('gets a type that needs an importance matrix with one made from calibration.txt, kept, too', async () => {
    const { code, stdout, stderr } = await run('inspect', 'phi3-tiny:IQ2_XS', '--json');
    expect(stderr).toMatch(/^making phi3-tiny as IQ2_XS/);
    expect(code).toBe(0);
    const { formats, metadata } = JSON.parse(stdout);
    expect(formats.map(({ format }: { format: string }) => format)).toContain('IQ2_XS');
    expect(metadata['quantize.imatrix.entries_count']).toBeDefined();
    expect(await cached()).toEqual([
      'phi3-tiny-BF16.gguf',
      'phi3-tiny-IQ2_XS.gguf',
      'phi3-tiny.imatrix.gguf',
    ]);
  });

  test('gets BF16 where it quantizes or measures importance', async () => {
    const out = path.join(cache, 'out');
    const quantized = await run('quantize', 'phi3-tiny', '-o', out, '-t', 'Q4_0', '--json');
    expect(quantized.stderr).toMatch(/^making phi3-tiny as BF16/);
    expect((await readdir(out)).sort()).toEqual(['manifest.json', 'phi3-tiny-Q4_0.gguf']);
    const matrix = path.join(cache, 'm.gguf');
    const text = path.join(checkpoint, 'calibration.txt');
    const measured = await run('imatrix', '-m', 'phi3-tiny', '-f', text, '-c', '32', '-o', matrix, '--json');
    expect(measured.code).toBe(0);
    expect(await cached()).not.toContain('phi3-tiny-Q8_0.gguf');
  });

  test('compares, hashes, dequantizes and tokenizes it', async () => {
    expect((await run('compare', 'phi3-tiny', 'phi3-tiny:Q8_0')).stdout).toMatch(/^equal: metadata and all/);
    expect((await run('hash', 'phi3-tiny')).stdout).toMatch(/sha256 {4}[0-9a-f]{64} {2}phi3-tiny/);
    expect((await run('dequantize', 'phi3-tiny', '-o', path.join(cache, 'd.gguf'))).code).toBe(0);
    expect((await run('tokenize', '-m', 'phi3-tiny', 'a b', '--json')).code).toBe(0);
  });
});

test('a command that takes a checkpoint gets the folder itself', async () => {
  const output = path.join(cache, 'c.gguf');
  expect((await run('convert', 'phi3-tiny', '-o', output)).stdout).toMatch(
    /c.gguf: .* \(phi3\), 9 tensors, bf16/,
  );
  expect(await cached()).toEqual(['c.gguf']);
});

describe('the cache', () => {
  test('holds another file after a change of the checkpoint, and none of an unfinished run', async () => {
    const before = await ggufPath('phi3-tiny', 'original');
    const left = path.join(path.dirname(before), '.work-left');
    await mkdir(left);
    await utimes(left, new Date(0), new Date(0));
    await ggufPath('phi3-tiny', 'quant');
    expect((await readdir(path.dirname(before))).sort()).toEqual([
      'phi3-tiny-BF16.gguf',
      'phi3-tiny-Q8_0.gguf',
    ]);
    const text = path.join(checkpoint, 'calibration.txt');
    const content = await readFile(text);
    await writeFile(text, 'a b');
    const after = await ggufPath('phi3-tiny', 'original');
    await writeFile(text, content);
    expect(after).not.toBe(before);
    expect(await ggufPath('phi3-tiny', 'original')).toBe(before);
  });

  test('two at once make the same file, and both get it', async () => {
    const paths = await Promise.all([1, 2].map(() => ggufPath('phi3-tiny:Q4_0', 'quant')));
    expect(paths[0]).toBe(paths[1]);
    expect(await cached()).toEqual(['phi3-tiny-BF16.gguf', 'phi3-tiny-Q4_0.gguf']);
  });

  test('that cannot be written is an error that names it', async () => {
    process.env['BITMILL_CACHE'] = path.join(checkpoint, 'config.json');
    const { code, stderr } = await run('inspect', 'phi3-tiny');
    expect(code).toBe(3);
    expect(stderr).toContain('config.json');
  });
});

test('the compiled program has the registry, too: an unknown name lists what there is', async () => {
  const bin = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));
  const child = spawn(process.execPath, [bin, 'inspect', 'nope']);
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(3);
  expect(stderr).toContain('models that come with bitmill: phi3-tiny');
});
