import { describe, expect, test } from 'vitest';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import {
  argumentsOf,
  distance,
  type Prepared,
  type Problem,
  plainAttention,
  prepare,
} from './attention.cases.ts';
import { attentionFlash } from './attention-flash.ts';
import { attentionScratch, BLOCK_ROWS, FLASH_ROWS, TILE_KEYS } from './attention-layout.ts';

if (testLevels.length === 0) console.log(`skipped: machine code, because ${noLevels}`);

interface Work {
  readonly threads?: number;
  /** Rows of a piece at most. */
  readonly most?: number;
}

function flashOf(
  bench: KernelBench,
  prepared: Prepared,
  { threads = 1, most = FLASH_ROWS }: Work = {},
): Float32Array {
  const { H, D } = prepared.problem;
  const args = argumentsOf(bench, prepared, most);
  const scratch = attentionScratch(most, D, BLOCK_ROWS * TILE_KEYS);
  bench.run(attentionFlash, args, { threads, scratch });
  return bench.f32(args.out, prepared.tokens * H * D).slice();
}

const flash = (bench: KernelBench, problem: Problem, work: Work = {}): Float32Array =>
  flashOf(bench, prepare(problem), work);

const one = (rows: number, past: number) => ({ spans: [{ rows, past, start: 0 }] });

const PROBLEMS: Record<string, Problem> = {
  'the first token of all': { ...one(1, 0), H: 3, K: 3, D: 16, keys: 'f16' },
  'one token after 300, 4 heads of 64': { ...one(1, 300), H: 4, K: 4, D: 64, keys: 'f16' },
  'one token after 1027 over q8_0, 2 heads of 96': { ...one(1, 1027), H: 2, K: 2, D: 96, keys: 'q8_0' },
  'one token over q8_0, heads that are no whole blocks': { ...one(1, 40), H: 4, K: 4, D: 80, keys: 'q8_0' },
  'a prompt of 150 tokens, 2 heads of 96': { ...one(150, 0), H: 2, K: 2, D: 96 },
  '40 tokens after 277, 9 heads on 3': { ...one(40, 277), H: 9, K: 3, D: 64, keys: 'f16' },
  '3 tokens after 65, 28 heads on 4': { ...one(3, 65), H: 28, K: 4, D: 128, keys: 'q8_0' },
  'a window of 50 over 200 tokens': { ...one(200, 0), H: 4, K: 2, D: 80, window: 50, keys: 'q8_0' },
  'a window of 300, 5 tokens after 600': { ...one(5, 600), H: 2, K: 1, D: 128, window: 300, keys: 'f16' },
  'a window of 1 keeps the token itself': { ...one(5, 7), H: 2, K: 2, D: 8, window: 1 },
  'odd heads of 5 columns': { ...one(33, 31), H: 4, K: 2, D: 5, keys: 'f16' },
  'odd heads of 10 and 20 columns, f32': { ...one(7, 9), H: 3, K: 1, D: 20 },
  'odd heads of 20 columns over q8_0': { ...one(9, 70), H: 16, K: 8, D: 20, keys: 'q8_0' },
  'keys f16, values q8_0': { ...one(33, 31), H: 4, K: 2, D: 32, keys: 'f16', values: 'q8_0' },
  'a token, a prompt and a few tokens, side by side': {
    spans: [
      { rows: 1, past: 130, start: 0 },
      { rows: 101, past: 0, start: 270 },
      { rows: 4, past: 40, start: 140 },
    ],
    H: 6,
    K: 2,
    D: 96,
    keys: 'f16',
  },
};

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each(Object.entries(PROBLEMS))('flash, within 1e-6 in norm of plain f64 code: %s', (_, problem) => {
    expect(distance(flash(bench, problem), plainAttention(prepare(problem)))).toBeLessThan(1e-6);
  });

  test.each(Object.entries(PROBLEMS))(
    'the same bits from 1 and 3 threads, in pieces of 96 and 6 rows: %s',
    (_, problem) => {
      const whole = flash(bench, problem);
      expect(flash(bench, problem, { threads: 3 })).toEqual(whole);
      expect(flash(bench, problem, { most: 6 })).toEqual(whole);
    },
  );

  test('a token has the same bits alone, after its prompt, and in the middle of one', () => {
    const shape = { H: 6, K: 2, D: 64, keys: 'f16' } as const;
    const prepared = prepare({ ...shape, ...one(600, 0) });
    const rowsOf = (rows: number, past: number): Float32Array => {
      const { queries } = prepared;
      const width = queries.length / prepared.tokens;
      const part = queries.slice(past * width, (past + rows) * width);
      return flashOf(bench, {
        ...prepared,
        problem: { ...shape, ...one(rows, past) },
        tokens: rows,
        queries: part,
      });
    };
    const whole = rowsOf(600, 0);
    const cols = shape.H * shape.D;
    for (const [rows, past] of [
      [1, 0],
      [1, 63],
      [1, 599],
      [3, 255],
      [70, 480],
    ]) {
      expect(rowsOf(rows, past)).toEqual(whole.slice(past * cols, (past + rows) * cols));
    }
  });
});
