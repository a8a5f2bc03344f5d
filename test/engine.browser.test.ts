/** The wasm backend in a real browser, on the page's own thread: the same bits as in Node. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Buffer, bytesOf, readF32, wasmBackend } from '../src/backends/index.ts';
import { GraphBuilder } from '../src/graph/index.ts';
import { encode, FORMATS } from '../src/quants/index.ts';
import { type BrowserPage, browserMissing, openPage } from './browser.ts';
import { normal, sample } from './random.ts';

const missing = browserMissing();
if (missing) console.warn(`browser suite skipped: ${missing}`);

let browser: BrowserPage | undefined;
beforeAll(async () => {
  if (!missing) browser = await openPage();
});
afterAll(() => browser?.close());

const COLS = 256;
const ROWS = 40;
const TOKENS = 3;

/** What the page needs of bitmill; in Node the same things under the same names. */
const NODE = { wasmBackend, GraphBuilder, FORMATS, bytesOf, readF32 };

/** x + swiglu(x, x) [3, 256] times Q4_K weights [40, 256], on the calling thread. Runs in Node and in the page. */
async function tinyGraph(
  { wasmBackend, GraphBuilder, FORMATS, bytesOf, readF32 }: typeof NODE,
  {
    weights,
    x,
    cols,
    rows,
    tokens,
  }: { weights: number[]; x: number[]; cols: number; rows: number; tokens: number },
): Promise<number[]> {
  const g = new GraphBuilder('tiny');
  const input = g.input('x', 'T', cols);
  const tensor = { name: 'w', format: FORMATS.Q4_K, shape: [cols, rows] };
  g.output('out', g.matmul(g.add(input, g.swiglu(input, input)), tensor));
  const graph = g.build();
  const backend = await wasmBackend();
  const bytes = Uint8Array.from(weights);
  const bind = new Map<string, Buffer>([
    [
      'w',
      await backend.upload(graph.weights[0], async (offset, length) => bytes.slice(offset, offset + length)),
    ],
    ['x', backend.alloc(4 * tokens * cols, 'x')],
    ['out', backend.alloc(4 * tokens * rows, 'out')],
  ]);
  const [, xBuffer, out] = [...bind.values()];
  backend.write(xBuffer, 0, bytesOf(new Float32Array(x)));
  await backend.run([{ program: backend.compile(graph), dims: { T: tokens, S: 0, past: 0 }, bind }]);
  const result = await readF32(backend, out, tokens * rows);
  await backend.close();
  return Array.from(result);
}

test.skipIf(missing)('a graph gives the same bits in the browser as in Node', async () => {
  const weights = encode(FORMATS.Q4_K, sample(COLS * ROWS, normal(1), 0.05), COLS);
  const x = sample(TOKENS * COLS, normal(2));
  const data = { weights: [...weights], x: [...x], cols: COLS, rows: ROWS, tokens: TOKENS };
  const inBrowser = await browser?.page.evaluate(
    `(${tinyGraph.toString()})(globalThis.bitmill, ${JSON.stringify(data)})`,
  );
  expect(browser?.errors).toEqual([]);
  const inNode = await tinyGraph(NODE, data);
  expect(inNode).toHaveLength(TOKENS * ROWS);
  expect(inNode.every((value) => Number.isFinite(value) && value !== 0)).toBe(true);
  expect(inBrowser).toEqual(inNode);
});
