import { afterAll, expect, test } from 'vitest';
import { importance, normal, sample } from '../../test/random.ts';
import { type EncodeInput, encodeJob } from '../quants/index.ts';
import { workerPool } from './index.ts';

const pool = workerPool(2);
afterAll(() => pool.close());

function input(): EncodeInput {
  const weights = sample(4 * 256, normal(7));
  return {
    source: 'F32',
    bytes: new Uint8Array(weights.buffer),
    cols: 256,
    targets: [
      { format: 'F16', importance: null, effort: 'fast' },
      { format: 'F32', importance: importance(256, 3), effort: 'fast' },
      { format: 'BF16', importance: null, effort: 'best' },
    ],
  };
}

test('a job gives the same result on a worker as on the calling thread', async () => {
  const { encoded } = await encodeJob.run(input());
  const results = await Promise.all([1, 2, 3, 4, 5].map(() => pool.run(encodeJob, input())));
  for (const result of results) expect(result.encoded).toEqual(encoded);
});

test('input buffers that are transferred move to the worker', async () => {
  const moved = input();
  const running = pool.run(encodeJob, moved, [moved.bytes.buffer]);
  expect(moved.bytes.length).toBe(0);
  expect((await running).encoded[0].length).toBe(2 * 4 * 256);
});

test('an error inside a job rejects its caller alone', async () => {
  const bad = {
    ...input(),
    cols: 100,
    targets: [{ format: 'Q8_0', importance: null, effort: 'fast' }],
  } as EncodeInput;
  const outcomes = await Promise.allSettled([pool.run(encodeJob, bad), pool.run(encodeJob, input())]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  expect(String((outcomes[0] as PromiseRejectedResult).reason)).toContain(
    'rows of 100 weights are not whole Q8_0 blocks of 32',
  );
});

test('a closed pool refuses work', async () => {
  const closed = workerPool(1);
  await closed.close();
  await expect(closed.run(encodeJob, input())).rejects.toThrow('the worker pool is closed');
});
