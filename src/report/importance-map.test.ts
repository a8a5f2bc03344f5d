/** Heat maps of importance: what is drawn, and matrices that have little to draw. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import type { ImportanceMatrix } from '../imatrix/index.ts';
import { importanceMap, renderPng, renderSvg } from './index.ts';

function matrix(entries: Record<string, readonly number[]>): ImportanceMatrix {
  return {
    name: 'm.gguf',
    form: 'gguf',
    entries: new Map(
      Object.entries(entries).map(([name, sums]) => [
        name,
        { sums: Float32Array.from(sums), counts: Float32Array.of(1) },
      ]),
    ),
    datasets: ['a.txt', 'b.txt'],
    chunkCount: 1,
    chunkSize: 64,
  };
}

/** Descriptions of the drawn cells. */
function cells(svg: string): string[] {
  return [
    ...svg.matchAll(/aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="rect mark"/g),
  ].map(([, label]) => label);
}

test('a cell for each tensor of a layer in both maps, with its numbers', async () => {
  const own = matrix({
    'blk.0.ffn_up.weight': [1, 3],
    'blk.1.ffn_up.weight': [8, 0],
    'output.weight': [5, 5],
  });
  const svg = await renderSvg(importanceMap(own, 'title of it'));
  expect(svg).toContain('>title of it<');
  expect(svg).toContain('>1 chunk of 64 tokens: a.txt, b.txt<');
  expect(svg).not.toContain('>output<');
  const drawn = cells(svg);
  expect(drawn).toHaveLength(4);
  expect(drawn[0]).toBe('layer: 0; kind: ffn_up; mean: 2');
  // Entropy of shares 1/4 and 3/4, in bits.
  expect(drawn[2]).toBe('layer: 0; kind: ffn_up; evenness: 0.81');
});

test('layers come in numeric order, tensors in the order of computation', async () => {
  const names = ['blk.10.ffn_down', 'blk.2.attn_qkv', 'blk.2.zeta', 'blk.2.ffn_down'];
  const own = matrix(Object.fromEntries(names.map((name) => [`${name}.weight`, [1, 2]])));
  const svg = await renderSvg(importanceMap(own, 't'));
  const order = (texts: readonly string[]) => texts.map((text) => svg.indexOf(`>${text}<`));
  expect(order(['attn_qkv', 'ffn_down', 'zeta'])).toEqual(
    order(['attn_qkv', 'ffn_down', 'zeta']).toSorted((a, b) => a - b),
  );
  expect(order(['2', '10'])[0]).toBeLessThan(order(['2', '10'])[1]);
});

test('a tensor of zeros has no place on a log scale: it stays white there, beside the others', async () => {
  const own = matrix({ 'blk.0.ffn_up.weight': [0, 0], 'blk.1.ffn_up.weight': [1, 1] });
  const svg = await renderSvg(importanceMap(own, 't'));
  expect(cells(svg)).toHaveLength(3);
  expect(svg.match(/>0<\/text>/g)).toHaveLength(2);
  expect(cells(await renderSvg(importanceMap(matrix({ 'blk.0.x.weight': [0, 0] }), 't')))).toHaveLength(1);
});

test('nothing in a layer is nothing to draw', () => {
  expect(() => importanceMap(matrix({ 'output.weight': [1] }), 't')).toThrow(
    'm.gguf: has no tensor in a layer',
  );
});

test('the PNG has text in it: without a font it is another picture', async () => {
  const { resolve } = createRequire(import.meta.url);
  const svg = await renderSvg(importanceMap(matrix({ 'blk.0.ffn_up.weight': [1, 2] }), 'title'));
  const wasm = readFileSync(resolve('@resvg/resvg-wasm/index_bg.wasm'));
  const font = readFileSync(resolve('@fontsource/inter/files/inter-latin-400-normal.woff2'));
  const [drawn, empty] = [
    await renderPng(svg, { wasm, fonts: [font] }),
    await renderPng(svg, { wasm, fonts: [] }),
  ];
  expect(drawn.length).toBeGreaterThan(empty.length + 1000);
});
