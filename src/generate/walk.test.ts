/**
 * Walks over tiny models: streamed and resident give the same bits, sums do not depend on groups, and what is not finite
 * is found where it begins.
 */
import { expect, test } from 'vitest';
import { openTinyModel } from '../../test/tiny-models.ts';
import { type Backend, readF32, referenceBackend, wasmBackend } from '../backends/index.ts';
import type { FilePlace, LocalFile } from '../core/index.ts';
import type { GgufFile, GgufTensor } from '../gguf/index.ts';
import { Engine } from './engine.ts';
import { Session } from './session.ts';
import { type SquareSums, type WalkRequest, walk } from './walk.ts';

const CHUNKS = [0, 1, 2, 3, 4].map((chunk) =>
  Int32Array.from({ length: 40 }, (_, i) => 3 + ((37 * i + 11 * chunk) % 260)),
);

/** Everything that a walk yields: rows of logits by chunk, and the sums of all products in layers. */
async function record(
  file: GgufFile,
  backend: Backend,
  request: Partial<WalkRequest>,
  batch = 512,
): Promise<{ readonly logits: Float32Array[]; readonly totals: Map<string, SquareSums> }> {
  const engine = await Engine.open(file, { backend, contextSize: 40, cacheType: 'f32', batch });
  const logits: Float32Array[] = [];
  const totals = new Map<string, SquareSums>();
  await walk(engine, {
    chunks: CHUNKS,
    select: () => ({ from: 20, to: 39 }),
    finish: async ({ logits: buffer, rows, chunk }) => {
      const values = await readF32(backend, buffer, (rows.to - rows.from) * engine.model.hyper.vocabulary);
      logits[chunk] = Float32Array.of(...(logits[chunk] ?? []), ...values);
    },
    collect: { wanted: ({ weight }) => weight.name.startsWith('blk.'), totals },
    ...request,
  });
  engine.close();
  return { logits, totals };
}

const BACKENDS: Record<string, () => Promise<Backend>> = {
  reference: async () => referenceBackend(),
  wasm: () => wasmBackend(),
};

test.each(Object.keys(BACKENDS))('%s: layer by layer gives the same bits as chunk by chunk', async (name) => {
  const file = await openTinyModel('phi3-longrope-gqa');
  const backend = await BACKENDS[name]();
  const whole = await record(file, backend, {});
  const streamed = await record(file, backend, { layerByLayer: true });
  expect(whole.logits).toHaveLength(5);
  expect(whole.logits[4]).toHaveLength(19 * 272);
  expect(streamed).toEqual(whole);
  await backend.close();
});

test('sums and counts do not depend on how often a walk stops to save', async () => {
  const file = await openTinyModel('llama-gqa-tied');
  const backend = referenceBackend();
  const once = await record(file, backend, {});
  const saves: number[] = [];
  const often = await record(file, backend, { saveEvery: 2, saved: async (done) => void saves.push(done) });
  expect(saves).toEqual([2, 4, 5]);
  expect(often).toEqual(once);
  expect(once.totals.get('blk.1.ffn_down.weight')?.count).toBe(200);
  expect([...once.totals.keys()]).toHaveLength(14);
});

test('chunks longer than a batch keep their context and come in parts', async () => {
  const file = await openTinyModel('phi3');
  const backend = referenceBackend();
  const whole = await record(file, backend, {});
  const parts = await record(file, backend, {}, 16);
  for (const [chunk, logits] of whole.logits.entries()) {
    const worst = Math.max(...logits.map((logit, i) => Math.abs(logit - parts.logits[chunk][i])));
    expect(worst).toBeLessThan(1e-4);
  }
});

test('a budget below the weights streams them, with the same result', async () => {
  const file = await openTinyModel('phi3');
  const wanted = await record(file, referenceBackend(), {});
  const backend = referenceBackend();
  const loose = await Engine.open(file, { backend, contextSize: 40, cacheType: 'f32' });
  const memory = loose.streamingBytes() + 4 * 40 * 32 * 2;
  const tight = await Engine.open(file, { backend, contextSize: 40, cacheType: 'f32', memory });
  expect(loose.resident).toBe(true);
  expect(tight.resident).toBe(false);
  const totals = new Map<string, SquareSums>();
  await walk(tight, {
    chunks: CHUNKS,
    collect: { wanted: ({ weight }) => weight.name.startsWith('blk.'), totals },
  });
  expect(totals).toEqual(wanted.totals);
  await expect(Session.open(tight)).rejects.toThrow(/do not fit \d+ bytes, which generation needs/);
  await expect(
    Engine.open(file, { backend, contextSize: 40, cacheType: 'f32', memory: 1000 }),
  ).rejects.toThrow(/needs at least \d+ bytes of memory layer by layer, 1000 are allowed/);
});

/** The same file, one weight of a tensor replaced by NaN. */
function spoiled(file: GgufFile, name: string): GgufFile {
  return {
    ...file,
    find: (wanted) => file.find(wanted),
    read: async (tensor, offset, length) => {
      const bytes = await file.read(tensor, offset, length);
      if (tensor.name === name && !offset) bytes.set([0, 0, 0xc0, 0x7f]);
      return bytes;
    },
  };
}

test('a NaN weight is reported with the layer that it spoils', async () => {
  const file = spoiled(await openTinyModel('phi3'), 'blk.1.ffn_down.weight');
  await expect(record(file, referenceBackend(), { layerByLayer: true })).rejects.toThrow(
    'phi3.gguf: the output of blk.1 for token 0 is NaN: it must be finite',
  );
  const first = spoiled(await openTinyModel('phi3'), 'blk.0.ffn_down.weight');
  await expect(record(first, referenceBackend(), {})).rejects.toThrow(
    'phi3.gguf: the output of blk.0 for token 0 is NaN: it must be finite',
  );
});

test('a backend is told where the weights of a plain file lie, and nothing where there is no file', async () => {
  const inMemory = await openTinyModel('llama-gqa-tied');
  const local: LocalFile = { path: '/model.gguf', size: inMemory.size, mtimeMs: 1, ino: 2 };
  const onDisk = { ...inMemory, place: ({ offset }: GgufTensor) => ({ file: local, offset }) };
  for (const file of [inMemory, onDisk]) {
    const backend = referenceBackend();
    const places = new Map<string, FilePlace | undefined>();
    const upload = backend.upload.bind(backend);
    backend.upload = (weight, read) => {
      places.set(weight.name, read.place);
      return upload(weight, read);
    };
    const engine = await Engine.open(file, { backend, contextSize: 8 });
    await engine.acquire(engine.graphs.layers[0]);
    const wanted =
      file === onDisk ? { file: local, offset: file.find('blk.0.attn_q.weight')?.offset } : undefined;
    expect(places.get('blk.0.attn_q.weight')).toEqual(wanted);
    expect(places.size).toBeGreaterThan(5);
    engine.close();
  }
});
