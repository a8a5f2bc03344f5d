/** Sequences side by side: each gives the numbers that it gives alone, whatever else is in its runs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTinyModel, type TinyModel } from '../../test/tiny-models.ts';
import { type Backend, referenceBackend, wasmBackend } from '../backends/index.ts';
import type { ConvertType } from '../convert/index.ts';
import { Engine, type EngineOptions, openSequences, type Sequences, type Wanted } from './index.ts';

const CONTEXT = 24;

/** Seeded ids below 90. */
function ids(count: number, seed: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (31 * seed + 17 * i + ((seed * i * i) % 7)) % 90);
}

/** What is fed: [sequence, from, to] of each part, run after run; ids are those of the sequence. */
type Script = readonly (readonly (readonly [sequence: number, from: number, to: number, want?: Wanted])[])[];

const SCRIPT: Script = [
  [[1, 0, 5]],
  [
    [0, 0, 9],
    [2, 0, 1],
  ],
  [
    [2, 1, 2],
    [1, 5, 6],
    [0, 9, 10],
  ],
  [
    [0, 10, 11],
    [1, 6, 13],
    [2, 2, 3],
  ],
  [
    [1, 13, 14],
    [2, 3, 10],
  ],
];

/** Results by sequence, in the order of its parts. */
async function play(sequences: Sequences, script: Script): Promise<Map<number, number[][]>> {
  const results = new Map<number, number[][]>();
  for (const run of script) {
    const found = await sequences.run(
      run.map(([sequence, from, to, want = 'last']) => ({
        sequence,
        tokens: ids(CONTEXT, sequence + 1).subarray(from, to),
        want,
      })),
    );
    run.forEach(([sequence], i) => {
      results.set(sequence, [...(results.get(sequence) ?? []), [...found[i]]]);
    });
  }
  return results;
}

async function withSequences(
  model: TinyModel,
  { dtype = 'f32', ...options }: Partial<EngineOptions> & { backend: Backend; dtype?: ConvertType },
  use: (sequences: Sequences, engine: Engine) => Promise<void>,
): Promise<void> {
  const engine = await Engine.open(await openTinyModel(model, dtype), { contextSize: CONTEXT, ...options });
  const sequences = await openSequences(engine);
  await use(sequences, engine);
  sequences.close();
  engine.close();
}

const BACKENDS: Record<string, () => Promise<Backend>> = {
  reference: async () => referenceBackend(),
  wasm: () => wasmBackend({ relaxed: false }),
};

describe.each(Object.entries(BACKENDS))('sequences on %s', (_, open) => {
  let backend = referenceBackend();
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.close());

  test.each([
    ['phi3-gqa-window', 'f32', 'flash'],
    ['phi3', 'f16', 'eager'],
    ['llama-gqa-tied', 'q8_0', 'flash'],
  ] as const)(
    '%s in %s, %s attention: three of them give the bits that each gives alone',
    async (model, dtype, attention) => {
      const options = { backend, sequences: 3, attention, dtype };
      await withSequences(model, options, async (together) => {
        const found = await play(together, SCRIPT);
        for (const sequence of [0, 1, 2]) {
          await withSequences(model, options, async (alone) => {
            const own = SCRIPT.map((run) => run.filter(([one]) => one === sequence)).filter(
              (r) => r.length > 0,
            );
            expect((await play(alone, own)).get(sequence)).toEqual(found.get(sequence));
          });
        }
      });
    },
  );

  test('logits of all tokens end with those of the last one; nothing gives nothing', async () => {
    await withSequences('phi3', { backend, sequences: 2 }, async (sequences, { model }) => {
      const V = model.hyper.vocabulary;
      const tokens = ids(7, 3);
      const [all, none] = await sequences.run([
        { sequence: 0, tokens, want: 'all' },
        { sequence: 1, tokens, want: 'nothing' },
      ]);
      sequences.rewind(1, 0);
      const [last] = await sequences.run([{ sequence: 1, tokens, want: 'last' }]);
      expect([all.length, none.length, last.length]).toEqual([7 * V, 0, V]);
      expect(all.subarray(6 * V)).toEqual(last);
    });
  });

  test('a prompt with more wanted rows than the head takes at once, beside hidden states', async () => {
    const options = { backend, sequences: 2, contextSize: 90, batch: 160 };
    await withSequences('llama-gqa-tied', options, async (sequences, { model }) => {
      const { width, vocabulary } = model.hyper;
      const tokens = ids(75, 5);
      const [all, hidden] = await sequences.run([
        { sequence: 0, tokens, want: 'all' },
        { sequence: 1, tokens, want: 'hidden' },
      ]);
      expect([all.length, hidden.length]).toEqual([75 * vocabulary, 75 * width]);
      sequences.rewind(0, 0);
      sequences.rewind(1, 0);
      const [states, logits] = await sequences.run([
        { sequence: 0, tokens, want: 'hidden' },
        { sequence: 1, tokens, want: 'all' },
      ]);
      expect(logits).toEqual(all);
      expect(states).toEqual(hidden);
      // Each row is normalized, so none is empty.
      for (let row = 0; row < 75; row++) {
        expect(hidden.subarray(row * width, (row + 1) * width).some((value) => value !== 0)).toBe(true);
      }
    });
  });

  test('a copy goes on as the sequence that it was taken from', async () => {
    await withSequences('phi3', { backend, sequences: 3, cacheType: 'q8_0' }, async (sequences) => {
      const tokens = ids(12, 4);
      await sequences.run([{ sequence: 1, tokens: tokens.subarray(0, 9), want: 'nothing' }]);
      await sequences.run([{ sequence: 2, tokens: ids(15, 8), want: 'nothing' }]);
      sequences.copy(1, 2, 6);
      expect([0, 1, 2].map((i) => sequences.position(i))).toEqual([0, 9, 6]);
      const [copied] = await sequences.run([{ sequence: 2, tokens: tokens.subarray(6), want: 'last' }]);
      sequences.rewind(1, 6);
      const [own] = await sequences.run([{ sequence: 1, tokens: tokens.subarray(6), want: 'last' }]);
      expect(copied).toEqual(own);
    });
  });

  test('what does not fit the context is refused, and then nothing was appended', async () => {
    await withSequences('phi3', { backend, sequences: 2 }, async (sequences) => {
      const run = sequences.run([
        { sequence: 0, tokens: ids(3, 1), want: 'last' },
        { sequence: 1, tokens: ids(CONTEXT + 1, 1), want: 'last' },
      ]);
      await expect(run).rejects.toThrow('25 tokens do not fit the context of 24');
      expect([sequences.position(0), sequences.position(1)]).toEqual([0, 0]);
    });
  });
});

test('faults of the caller are named', async () => {
  await withSequences('phi3', { backend: referenceBackend(), sequences: 2 }, async (sequences) => {
    const part = (sequence: number, length: number) =>
      ({ sequence, tokens: ids(length, 1), want: 'last' }) as const;
    await expect(sequences.run([part(2, 1)])).rejects.toThrow('sequence 2 of 2');
    await expect(sequences.run([part(0, 1), part(0, 1)])).rejects.toThrow(
      'a sequence has two parts in one run',
    );
    await expect(sequences.run([part(1, 0)])).rejects.toThrow('sequence 1: a part without tokens');
    await expect(sequences.run([part(1, 30), part(0, 30)])).rejects.toThrow(
      '60 tokens in a run of at most 48',
    );
    expect(() => sequences.copy(0, 1, 1)).toThrow('1 positions of a sequence that has 0');
    expect(await sequences.run([])).toEqual([]);
  });
});

test('the plan of memory counts the caches of all sequences', async () => {
  const file = await openTinyModel('phi3');
  const open = (sequences: number, memory?: number) =>
    Engine.open(file, {
      backend: referenceBackend(),
      contextSize: 1000,
      sequences,
      ...(memory === undefined ? {} : { memory }),
    });
  const least = (await open(1)).streamingBytes();
  const engine = await open(5000, 2 * least);
  expect(engine.resident).toBe(false);
  await expect(openSequences(engine)).rejects.toThrow('its weights and caches do not fit');
  expect((await open(1, 2 * least)).resident).toBe(true);
});
