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
import { attentionEager } from './attention-eager.ts';
import { attentionFlash } from './attention-flash.ts';
import { attentionScratch, BLOCK_ROWS, PART_KEYS, recordBytes, TILE_KEYS } from './attention-layout.ts';
import { attentionMerge, attentionParts } from './attention-parts.ts';

if (testLevels.length === 0) console.log(`skipped: machine code, because ${noLevels}`);

interface Work {
  readonly threads?: number;
  /** Rows of a piece at most. */
  readonly most?: number;
}

/** Runs the kernels of one way of doing it. */
type Attend = (bench: KernelBench, prepared: Prepared, work?: Work) => Float32Array;

const positionsOf = ({ spans }: Problem): number => Math.max(...spans.map(({ past, rows }) => past + rows));

const outputOf = (bench: KernelBench, { problem: { H, D }, tokens }: Prepared, out: number): Float32Array =>
  bench.f32(out, tokens * H * D).slice();

const flash: Attend = (bench, prepared, { threads = 1, most = 96 } = {}) => {
  const args = argumentsOf(bench, prepared, most);
  const scratch = attentionScratch(most, prepared.problem.D, TILE_KEYS);
  bench.run(attentionFlash, args, { threads, scratch });
  return outputOf(bench, prepared, args.out);
};

/** Flash attention with the positions cut into parts. */
const parts: Attend = (bench, prepared, { threads = 1, most = 96 } = {}) => {
  const { problem, tokens } = prepared;
  const { H, K, D, spans } = problem;
  const rows = tokens * H;
  const count = Math.ceil(positionsOf(problem) / PART_KEYS);
  const state = bench.alloc(count * rows * recordBytes(D));
  const longest = (H / K) * Math.max(...spans.map((span) => span.rows));
  const groups = most < 96 ? K : Math.ceil(K / 2);
  const args = { ...argumentsOf(bench, prepared, longest), groups, parts: count, rows, state };
  const scratch = attentionScratch(K * (longest + BLOCK_ROWS), D, TILE_KEYS);
  bench.run(attentionParts, args, { threads, scratch });
  bench.run(attentionMerge, args, { threads, scratch });
  return outputOf(bench, prepared, args.out);
};

const eager: Attend = (bench, prepared, { threads = 1, most = 24 } = {}) => {
  const width = Math.ceil(positionsOf(prepared.problem) / TILE_KEYS) * TILE_KEYS;
  const args = { ...argumentsOf(bench, prepared, most), width };
  const scratch = attentionScratch(most, prepared.problem.D, width);
  bench.run(attentionEager, args, { threads, scratch });
  return outputOf(bench, prepared, args.out);
};

const WAYS = { flash, parts, eager };

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

const expected = new Map<Problem, Float64Array>();

/** The definition's numbers, computed once. */
function expectedOf(problem: Problem): Float64Array {
  const known = expected.get(problem) ?? plainAttention(prepare(problem));
  expected.set(problem, known);
  return known;
}

const ways = testLevels.flatMap((level) =>
  Object.entries(WAYS).map(([way, attend]) => ({ way, attend, name: level.name, level })),
);

describe.each(ways)('$way attention on $name', ({ level, attend, way }) => {
  const bench = new KernelBench(level);

  test.each(Object.entries(PROBLEMS))('is within 1e-6 in norm of plain f64 code: %s', (_, problem) => {
    expect(distance(attend(bench, prepare(problem)), expectedOf(problem))).toBeLessThan(1e-6);
  });

  test.each(Object.entries(PROBLEMS))(
    'has the same bits from 3 threads, and in pieces of 7 rows: %s',
    (_, problem) => {
      const prepared = prepare(problem);
      const whole = attend(bench, prepared);
      expect(equal(attend(bench, prepared, { threads: 3 }), whole)).toBe(true);
      expect(equal(attend(bench, prepared, { most: 7 }), whole)).toBe(true);
      if (way === 'parts') expect(equal(flash(bench, prepared), whole)).toBe(true);
    },
  );

  test('makes NaN of all columns of a row whose query has one, and of no other row', () => {
    const prepared = prepare({ ...one(3, 70), H: 2, K: 1, D: 16, keys: 'f16' });
    prepared.queries[2 * 16 + 12 + 16 + 5] = Number.NaN; // token 1, head 1
    const out = attend(bench, prepared);
    const rows = Array.from({ length: 6 }, (_, row) => [...out.slice(16 * row, 16 * row + 16)]);
    expect(rows.map((row) => row.filter(Number.isNaN).length)).toEqual([0, 0, 0, 16, 0, 0]);
  });

  test('gives a token the same bits alone, after its prompt, and in the middle of one', () => {
    const shape = { H: 6, K: 2, D: 64, keys: 'f16' } as const;
    const prepared = prepare({ ...shape, ...one(600, 0) });
    const rowsOf = (rows: number, past: number): Float32Array => {
      const width = prepared.queries.length / prepared.tokens;
      const queries = prepared.queries.slice(past * width, (past + rows) * width);
      return attend(bench, { ...prepared, problem: { ...shape, ...one(rows, past) }, tokens: rows, queries });
    };
    const whole = rowsOf(600, 0);
    const cols = shape.H * shape.D;
    const pieces = [
      [1, 0],
      [1, 63],
      [1, 599],
      [3, 255],
      [70, 480],
    ];
    for (const [rows, past] of pieces) {
      const part = whole.slice(past * cols, (past + rows) * cols);
      expect(equal(rowsOf(rows, past), part)).toBe(true);
    }
  });
});

/** Bit for bit: as long, and the same words. */
function equal(a: Float32Array, b: Float32Array): boolean {
  return Buffer.compare(new Uint8Array(a.buffer), new Uint8Array(b.buffer)) === 0;
}
