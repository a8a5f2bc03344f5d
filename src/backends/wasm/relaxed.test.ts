/** The relaxed engine: tokens one at a time with activations of a byte, and the self-test that lets it in. */
import v8 from 'node:v8';
import { expect, test } from 'vitest';
import { normal, sample } from '../../../test/random.ts';
import { GraphBuilder } from '../../graph/index.ts';
import { encode, FORMATS, type TensorFormat } from '../../quants/index.ts';
import { type Backend, bytesOf, readF32 } from '../backend.ts';
import { referenceBackend } from '../reference.ts';
import { wasmBackend } from './backend.ts';
import { RELAXED_BASE64 } from './relaxed.gen.ts';
import { kernelsWork, relaxedWorks } from './relaxed.ts';

if (Number.parseInt(process.versions.node, 10) < 22)
  v8.setFlagsFromString('--experimental-wasm-relaxed-simd');

const BYTES = Uint8Array.from(atob(RELAXED_BASE64), (c) => c.charCodeAt(0));
const missing = WebAssembly.validate(BYTES) ? undefined : 'this runtime has no relaxed SIMD';
if (missing) console.warn(`relaxed engine skipped: ${missing}`);

const COLS = 768;
const ROWS = 37;

/** Outputs [tokens, ROWS] of a product with seeded weights. */
async function product(
  backend: Backend,
  format: TensorFormat,
  tokens: number,
  uniform = false,
): Promise<Float32Array> {
  const g = new GraphBuilder('product');
  const tensor = { name: 'w', format, shape: [COLS, ROWS] };
  g.output('out', g.matmul(g.input('x', 'T', COLS), tensor));
  const graph = g.build();
  const bytes = encode(format, sample(COLS * ROWS, normal(1), 0.05), COLS);
  const weights = await backend.upload(graph.weights[0], async (at, length) => bytes.slice(at, at + length));
  const x = backend.alloc(4 * tokens * COLS, 'x');
  const out = backend.alloc(4 * tokens * ROWS, 'out');
  backend.write(x, 0, bytesOf(sample(tokens * COLS, normal(2), 1)));
  const bind = new Map([
    ['w', weights],
    ['x', x],
    ['out', out],
  ]);
  await backend.run([
    { program: backend.compile(graph, { uniform }), dims: { T: tokens, S: 0, past: 0 }, bind },
  ]);
  return readF32(backend, out, tokens * ROWS);
}

/** Root of the mean squared difference, relative to that of the wanted values. */
function distance(found: Float32Array, wanted: Float32Array): number {
  const error = wanted.reduce((sum, value, i) => sum + (value - found[i]) ** 2, 0);
  return Math.sqrt(error / wanted.reduce((sum, value) => sum + value ** 2, 0));
}

test.skipIf(missing).each([FORMATS.Q4_K, FORMATS.Q5_K, FORMATS.Q6_K])(
  '$name: one token is rounded to 8 bits (below 1 %), a batch is the same as in the plain engine',
  async (format) => {
    const relaxed = await wasmBackend();
    const plain = await wasmBackend({ relaxed: false });
    const wanted = await product(referenceBackend(), format, 1);
    const one = distance(await product(relaxed, format, 1), wanted);
    expect(one).toBeLessThan(1e-2);
    expect(one).toBeGreaterThan(1e-3); // what 12 bits would give: so the byte kernels did run
    expect(distance(await product(plain, format, 1), wanted)).toBeLessThan(1e-3);
    expect(await product(relaxed, format, 5)).toEqual(await product(plain, format, 5));
    expect(await product(relaxed, format, 1, true)).toEqual(await product(plain, format, 1));
    await relaxed.close();
    await plain.close();
  },
);

test.skipIf(missing)('the self-test lets the right kernels in', async () => {
  expect(relaxedWorks(await WebAssembly.compile(BYTES))).toBe(true);
});

test.skipIf(missing)('the self-test refuses kernels that go wrong after a thousand calls', async () => {
  const memory = new WebAssembly.Memory({ initial: 66, maximum: 65536, shared: true });
  const table = new WebAssembly.Table({ initial: 128, element: 'anyfunc' });
  const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(BYTES), {
    env: { memory, table, abort: () => {} },
  });
  const quantize = exports['quantize_bytes'] as (...args: number[]) => void;
  const multiply = exports['matvec_bytes'] as (...args: number[]) => void;
  let calls = 0;
  const tiring = (...args: number[]): void => {
    multiply(...args);
    const y = args[args.length - 1];
    if (++calls > 1000) new Float32Array(memory.buffer, y, 1)[0] += 1e4;
  };
  expect(kernelsWork(memory, quantize, multiply)).toBe(true);
  expect(kernelsWork(memory, quantize, tiring)).toBe(false);
  expect(calls).toBe(1001);
});
