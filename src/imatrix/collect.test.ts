/** Collecting importance on a tiny model: the sums by hand, and everything that must not change them. */
import { expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { openTinyModel } from '../../test/tiny-models.ts';
import { type Backend, referenceBackend, wasmBackend } from '../backends/index.ts';
import { Engine } from '../generate/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import { spawnEngineThread } from '../platform/index.ts';
import { decode } from '../quants/index.ts';
import {
  type ChunkGroup,
  type CollectOptions,
  type CollectState,
  collectImportance,
  emptyState,
  type InputSums,
} from './index.ts';

const SIZE = 16;
const VOCABULARY = 272;

function chunks(count: number, seed = 1): Int32Array[] {
  const random = uniform(seed);
  return Array.from({ length: count }, () =>
    Int32Array.from({ length: SIZE }, () => Math.floor(random() * VOCABULARY)),
  );
}

interface Setting extends Partial<CollectOptions> {
  readonly backend?: Backend;
  /** Streams layer by layer with the least memory that will do. */
  readonly streamed?: boolean;
  readonly state?: CollectState;
  /** Tokens a run. */
  readonly batch?: number;
  readonly change?: (file: GgufFile) => GgufFile;
}

async function run(groups: readonly ChunkGroup[], setting: Setting = {}): Promise<CollectState> {
  const { backend = referenceBackend(), streamed = false, state, change, batch = SIZE, ...options } = setting;
  const file = await openTinyModel('phi3');
  const read = change ? change(file) : file;
  const needs = { backend, contextSize: SIZE, cacheType: 'f32', batch } as const;
  let engine = await Engine.open(read, needs);
  if (streamed) engine = await Engine.open(read, { ...needs, memory: engine.streamingBytes() });
  expect(engine.resident).toBe(!streamed);
  try {
    const defaults = { chunkSize: SIZE, processOutput: false, perplexity: false };
    return await collectImportance(engine, groups, { ...defaults, ...options }, state ?? emptyState(groups));
  } finally {
    engine.close();
    await file.close();
  }
}

const one = (...list: Int32Array[]): ChunkGroup[] => [{ weight: 1, chunks: list }];

const sumsOf = ({ totals }: CollectState, name: string): InputSums => {
  const found = totals[0].get(name);
  if (!found) throw new Error(`no sums of ${name}`);
  return found;
};

/** All rows of a tensor. */
async function floats(file: GgufFile, name: string): Promise<Float32Array> {
  const tensor = file.find(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return decode(tensor.format, await file.read(tensor), tensor.weights);
}

test('the first layer is fed normalized embeddings: its sums by hand', async () => {
  const [chunk] = chunks(1);
  const file = await openTinyModel('phi3');
  const embeddings = await floats(file, 'token_embd.weight');
  const norm = await floats(file, 'blk.0.attn_norm.weight');
  const width = norm.length;
  const expected = new Float64Array(width);
  for (const id of chunk) {
    const row = embeddings.subarray(id * width, (id + 1) * width);
    const scale = 1 / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / width + 1e-5);
    row.forEach((x, column) => {
      expected[column] += (x * scale * norm[column]) ** 2;
    });
  }
  const { sums, count } = sumsOf(await run(one(chunk)), 'blk.0.attn_qkv.weight');
  expect(count).toBe(SIZE);
  // f32 activations: 1e-6 relative.
  sums.forEach((sum, column) => {
    expect(Math.abs(sum / expected[column] - 1)).toBeLessThan(1e-6);
  });
});

test('every matrix of every layer is collected, the output matrix only if asked for', async () => {
  const kinds = ['attn_output', 'attn_qkv', 'ffn_down', 'ffn_up'];
  const layers = [0, 1].flatMap((layer) => kinds.map((kind) => `blk.${layer}.${kind}.weight`));
  const names = async (setting: Setting) =>
    [...(await run(one(...chunks(1)), setting)).totals[0].keys()].sort();
  expect(await names({})).toEqual(layers);
  expect(await names({ perplexity: true })).toEqual(layers);
  expect(await names({ processOutput: true })).toEqual([...layers, 'output.weight']);
});

test('the output matrix sees every token, whether or not the perplexity is measured', async () => {
  const list = chunks(3);
  const [alone, both] = await Promise.all([
    run(one(...list), { processOutput: true }),
    run(one(...list), { processOutput: true, perplexity: true }),
  ]);
  expect(sumsOf(alone, 'output.weight').count).toBe(3 * SIZE);
  expect(both.totals).toEqual(alone.totals);
  expect(both.loss).toEqual((await run(one(...list), { perplexity: true })).loss);
  expect(both.loss.tokens).toBe(3 * 7);
});

test('layer by layer, or saved at any interval: the same bits', async () => {
  const list = chunks(7);
  const expected = await run(one(...list), { perplexity: true });
  for (const setting of [
    { streamed: true },
    { saveEvery: 1 },
    { saveEvery: 3 },
    { streamed: true, saveEvery: 2 },
  ]) {
    expect(await run(one(...list), { perplexity: true, ...setting })).toEqual(expected);
  }
});

test('one, two or three threads: the same bits', async () => {
  const list = chunks(3);
  const states: CollectState[] = [];
  for (const threads of [1, 2, 3]) {
    const backend = await wasmBackend({ threads, spawn: spawnEngineThread });
    states.push(await run(one(...list), { backend, perplexity: true, streamed: threads === 3 }));
    await backend.close();
  }
  expect(states[1]).toEqual(states[0]);
  expect(states[2]).toEqual(states[0]);
});

test('going on from any saved state ends in the same bits', async () => {
  const groups: ChunkGroup[] = [
    { weight: 1, chunks: chunks(3) },
    { weight: 2, chunks: chunks(2, 9) },
  ];
  const saved: CollectState[] = [];
  const save = async (state: CollectState) => void saved.push(structuredClone(state));
  const expected = await run(groups, { perplexity: true, saveEvery: 2, save });
  expect(saved.map(({ chunksDone }) => chunksDone)).toEqual([2, 3, 5]);
  for (const state of saved) expect(await run(groups, { perplexity: true, state })).toEqual(expected);
});

test('progress ends at the number of tokens', async () => {
  const seen: number[] = [];
  await run(one(...chunks(2)), { perplexity: true, progress: (tokens) => void seen.push(tokens) });
  expect(seen.at(-1)).toBe(2 * SIZE);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
});

test('perplexity is told after each chunk', async () => {
  const seen: [number, number][] = [];
  await run(one(...chunks(3)), {
    perplexity: true,
    onPerplexity: (chunk, { tokens }) => void seen.push([chunk, tokens]),
  });
  expect(seen).toEqual([
    [1, 7],
    [2, 14],
    [3, 21],
  ]);
});

test('chunks longer than a batch come in parts: the same sums within f32 rounding, one figure a chunk', async () => {
  const list = chunks(2);
  const whole = await run(one(...list), { perplexity: true, processOutput: true });
  for (const streamed of [false, true]) {
    const told: number[] = [];
    const onPerplexity = (chunk: number) => void told.push(chunk);
    const setting = { perplexity: true, processOutput: true, batch: 5, streamed, onPerplexity };
    const parts = await run(one(...list), setting);
    expect(told).toEqual([1, 2]);
    expect(parts.loss.tokens).toBe(whole.loss.tokens);
    expect(parts.loss.nll).toBeCloseTo(whole.loss.nll, 4);
    for (const [name, { sums, count }] of parts.totals[0]) {
      const expected = sumsOf(whole, name);
      expect(count).toBe(expected.count);
      sums.forEach((sum, column) => {
        expect(Math.abs(sum / expected.sums[column] - 1)).toBeLessThan(1e-5);
      });
    }
  }
});

test('a token that the model lacks is an error', async () => {
  await expect(run(one(new Int32Array(SIZE).fill(VOCABULARY)))).rejects.toThrow(
    'has 272 tokens, the text has the token id 272',
  );
});

/** The file with NaN in every weight of one tensor. */
function poison(name: string): (file: GgufFile) => GgufFile {
  return (file) => ({
    ...file,
    find: (wanted) => file.find(wanted),
    read: async (tensor, offset, length) => {
      const bytes = await file.read(tensor, offset, length);
      return tensor.name === name ? bytes.fill(0xff) : bytes;
    },
  });
}

test.each([{}, { perplexity: true }, { streamed: true }, { streamed: true, perplexity: true }])(
  'a NaN activation is an error that names its layer (%o)',
  async (setting) => {
    const found = run(one(...chunks(2)), { ...setting, change: poison('blk.1.attn_qkv.weight') });
    await expect(found).rejects.toThrow(/blk\.1 .*is NaN: it must be finite/);
  },
);
