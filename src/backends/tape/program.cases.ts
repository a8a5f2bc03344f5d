/** Cases for tapes that are kept between runs: a token by token run gives what fresh programs give. */
import { afterAll, describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../graph/index.ts';
import { FORMATS } from '../../quants/index.ts';
import type { Backend, Buffer, Step } from '../backend.ts';
import { bytesOf, readF32 } from '../backend.ts';
import { testValues, testWeight } from '../run-graph.cases.ts';

const HEADS = 2;
const WIDTH = 64;
const POSITIONS = 600;

/** Attention over everything so far, as a layer has it, with eager scores: their scratch grows with `past`. */
function attentionGraph() {
  const weight = testWeight('w', FORMATS.Q8_0, [WIDTH, WIDTH], 3);
  const g = new GraphBuilder('blk.0');
  const x = g.input('x', 'T', WIDTH);
  const [keys, values] = [g.cache('keys', 'f32', WIDTH), g.cache('values', 'f32', WIDTH)];
  g.cacheStore(x, keys);
  g.cacheStore(x, values);
  const options = { heads: HEADS, kvHeads: HEADS, scale: 0.2, window: 0, algorithm: 'eager' } as const;
  g.output('out', g.matmul(g.attention({ q: x, keys, values, ...options }), weight));
  return { graph: g.build(), weight };
}

const { graph, weight } = attentionGraph();
const x = testValues(POSITIONS * WIDTH, 1);

async function bindings(backend: Backend, tokens: number): Promise<Map<string, Buffer>> {
  const read = async (offset: number, length: number) => weight.bytes.slice(offset, offset + length);
  return new Map([
    ['w', await backend.upload(graph.weights[0], read)],
    ['keys', backend.alloc(4 * POSITIONS * WIDTH, 'keys')],
    ['values', backend.alloc(4 * POSITIONS * WIDTH, 'values')],
    ['x', backend.alloc(4 * tokens * WIDTH, 'x')],
    ['out', backend.alloc(4 * tokens * WIDTH, 'out')],
  ]);
}

/** Output of the last of `tokens` positions after `past`, rows `past ..` of `x` being the input. */
async function feed(
  backend: Backend,
  step: Omit<Step, 'dims'>,
  past: number,
  tokens: number,
): Promise<number[]> {
  const [input, out] = ['x', 'out'].map((name) => step.bind.get(name) as Buffer);
  backend.write(input, 0, bytesOf(x.subarray(past * WIDTH, (past + tokens) * WIDTH)));
  await backend.run([{ ...step, dims: { T: tokens, S: 0, past } }]);
  return [...(await readF32(backend, out, tokens * WIDTH))].slice(-WIDTH);
}

/** @param open the backend; called once. */
export function programCases(name: string, open: () => Promise<Backend>): void {
  describe(name, () => {
    const opened = open();
    afterAll(async () => (await opened).close());

    test('600 tokens one by one, on one kept tape, give the last row of one run of 600', async () => {
      const backend = await opened;
      const whole = await feed(
        backend,
        { program: backend.compile(graph), bind: await bindings(backend, POSITIONS) },
        0,
        POSITIONS,
      );
      const step = { program: backend.compile(graph), bind: await bindings(backend, 1) };
      let last: number[] = [];
      for (let past = 0; past < POSITIONS; past++) last = await feed(backend, step, past, 1);
      expect(last.length).toBe(WIDTH);
      last.forEach((value, i) => {
        expect(value).toBeCloseTo(whole[i], 5);
      });
      // Back to an earlier position: the same tape, with fewer positions.
      const again = await feed(backend, step, 300, 1);
      const fresh = await feed(backend, { ...step, program: backend.compile(graph) }, 300, 1);
      expect(again).toEqual(fresh);
    });

    test('one run may hold several steps of a program that differ in their position alone', async () => {
      const backend = await opened;
      const program = backend.compile(graph);
      const bind = await bindings(backend, 1);
      const step = (past: number): Step => ({ program, bind, dims: { T: 1, S: 0, past } });
      await feed(backend, { program, bind }, 0, 1);
      await backend.run([step(1), step(2), step(1)]); // the same row of x at positions 1 and 2
      const keys = await backend.read(bind.get('keys') as Buffer, 0, 4 * 4 * WIDTH);
      const row = (position: number) => [...keys.subarray(4 * WIDTH * position, 4 * WIDTH * (position + 1))];
      expect([row(1), row(2)]).toEqual([row(0), row(0)]);
      expect(row(3).every((byte) => byte === 0)).toBe(true);
    });

    test('a tape follows its buffers: other caches, other results', async () => {
      const backend = await opened;
      const program = backend.compile(graph);
      const [one, two] = [await bindings(backend, 1), await bindings(backend, 1)];
      await feed(backend, { program, bind: one }, 0, 1);
      const [a, b] = [
        await feed(backend, { program, bind: one }, 1, 1),
        await feed(backend, { program, bind: two }, 1, 1),
      ];
      expect(a).not.toEqual(b); // position 0 of the second caches is empty
      expect(await feed(backend, { program, bind: one }, 1, 1)).toEqual(a);
    });

    test('a cache that is too short is refused by name before anything runs; then the tape is as it was', async () => {
      const backend = await opened;
      const bind = await bindings(backend, 1);
      bind.set('values', backend.alloc(4 * 4 * WIDTH, 'values')); // four positions, where keys have many
      const step = { program: backend.compile(graph), bind };
      const before = await feed(backend, step, 3, 1);
      await expect(backend.run([{ ...step, dims: { T: 1, S: 0, past: 4 } }])).rejects.toThrow(
        'blk.0: values needs 1280 bytes, its buffer has 1024',
      );
      expect(await feed(backend, step, 3, 1)).toEqual(before);
      const keys = await backend.read(bind.get('keys') as Buffer, 4 * 4 * WIDTH, 4 * WIDTH);
      expect(keys.every((byte) => byte === 0)).toBe(true); // position 4 was never stored
    });

    test('a freed buffer is refused by name', async () => {
      const backend = await opened;
      const bind = await bindings(backend, 1);
      backend.free(bind.get('values') as Buffer);
      const run = backend.run([{ program: backend.compile(graph), bind, dims: { T: 1, S: 0, past: 0 } }]);
      await expect(run).rejects.toThrow('blk.0: values: the buffer was freed');
    });

    test('three sequences one token at a time, on one kept tape, give the rows that each gives alone', async () => {
      const backend = await opened;
      const program = backend.compile(graph, { uniform: true });
      const [together, single] = [await bindings(backend, 3), await bindings(backend, 1)];
      const starts = [200, 0, 90];
      const pasts = [0, 0, 0];
      const rowOf = (sequence: number) => x.subarray(WIDTH * sequence, WIDTH * (sequence + 1));
      for (let step = 0; step < 40; step++) {
        // All of them in most runs, the first two as one token each of a run of their own in others.
        const active = step % 4 === 3 ? [0, 1] : [0, 1, 2];
        const spans = active.map((i) => ({ rows: 1, past: pasts[i], start: starts[i] }));
        for (const [at, i] of active.entries()) {
          backend.write(together.get('x') as Buffer, 4 * WIDTH * at, bytesOf(rowOf(i + (step % 5))));
        }
        const past = Math.max(...spans.map((span) => span.past));
        await backend.run([{ program, bind: together, dims: { T: active.length, S: 0, past, spans } }]);
        const rows = await readF32(backend, together.get('out') as Buffer, active.length * WIDTH);
        for (const [at, i] of active.entries()) {
          backend.write(single.get('x') as Buffer, 0, bytesOf(rowOf(i + (step % 5))));
          await backend.run([{ program, bind: single, dims: { T: 1, S: 0, past, spans: [spans[at]] } }]);
          const own = await readF32(backend, single.get('out') as Buffer, WIDTH);
          expect(own).toEqual(rows.subarray(at * WIDTH, (at + 1) * WIDTH));
          pasts[i]++;
        }
      }
    });
  });
}
