/** Embeddings at every level: float formats at odd widths, blocks through small unpack members made for this test. */
import { describe, expect, test } from 'vitest';
import { decode, encode, FORMATS, formatBytes, type TensorFormat } from '../../../quants/index.ts';
import type { KernelSource } from '../kernel.ts';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { defineUnpack } from '../unpack/unpack.ts';
import { mem } from '../x64/index.ts';
import { EMBED_KERNELS, embedKernel } from './embed.ts';
import { emptyMatrix, normals } from './matrices.cases.ts';

if (testLevels.length === 0) console.log(`skipped: embeddings, because ${noLevels}`);

/** Blocks of 32: f16 d, 32 signed bytes. */
const q8 = defineUnpack({
  format: 'Q8_0',
  blockBytes: 34,
  block: 32,
  offset: 128,
  most: 255,
  scaled: undefined,
  mostScale: 1,
  mins: false,
  setup: (k) => {
    const sign = k.registers.ymm('sign');
    k.x.vmovdqu(sign, k.u8(0x80));
    return { sign };
  },
  header: (k, block) => {
    const d = k.registers.xmm('d');
    const bits = k.gpr('bits');
    k.x.load16(bits, mem(block));
    k.x.vmovq(d, bits);
    k.x.vcvtph2ps(d, d);
    k.free(bits);
    return { d };
  },
  codes: (k, block, _, target, { sign }) => k.x.vpxor(target, sign, mem(block, 2)),
});

/**
 * Blocks of 256 that no file has: f32 d, f32 dmin, 16 i16 scales, 16 i16 mins, 256 codes. Everything that a member may
 * leave in registers.
 */
const full = defineUnpack({
  format: 'TEST',
  blockBytes: 8 + 64 + 256,
  block: 256,
  offset: 3,
  most: 255,
  scaled: 16,
  mostScale: 100,
  mins: true,
  setup: () => ({}),
  header: (k, block) => {
    const [d, dmin] = [k.registers.xmm('d'), k.registers.xmm('dmin')];
    k.x.vmovss(d, mem(block));
    k.x.vmovss(dmin, mem(block, 4));
    const [scales, mins] = [k.registers.ymm('scales'), k.registers.ymm('mins')];
    k.x.vmovdqu(scales, mem(block, 8));
    k.x.vmovdqu(mins, mem(block, 40));
    return { d, dmin, scales, mins };
  },
  share: (k, block) => {
    const place = k.gpr('place');
    k.x.lea(place, mem(block, 72));
    return { place };
  },
  codes: (k, block, i, target) => k.x.vmovups(target, mem(block, 72 + i * target.bytes)),
});

/** A block of the test's own format, and its weights. */
function fullBlock(seed: number): { bytes: Uint8Array; weights: Float32Array } {
  const bytes = new Uint8Array(full.blockBytes);
  const view = new DataView(bytes.buffer);
  const random = normals(290, seed, 40);
  view.setFloat32(0, 0.25, true);
  view.setFloat32(4, 0.5, true);
  for (let i = 0; i < 32; i++) view.setInt16(8 + 2 * i, random[i], true);
  for (let i = 0; i < 256; i++) bytes[72 + i] = Math.abs(random[32 + i]);
  const weights = Float32Array.from({ length: 256 }, (_, i) => {
    const [scale, min] = [0, 32].map((at) => view.getInt16(8 + at + 2 * Math.floor(i / 16), true));
    return 0.25 * scale * (bytes[72 + i] - 3) - 0.5 * min;
  });
  return { bytes, weights };
}

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);
  const limit = 9;

  /** Rows that came out, undefined where nothing was written. */
  function embed(
    kernel: KernelSource,
    bytes: Uint8Array,
    cols: number,
    tokens: readonly number[],
  ): (Float32Array | undefined)[] {
    const out = emptyMatrix(bench, tokens.length, cols);
    const before = out.read();
    bench.run(
      kernel,
      {
        tokens: bench.put(Int32Array.from(tokens)),
        tokensStride: 4,
        weight: bench.put(bytes),
        rowBytes: bytes.length / limit,
        out: out.address,
        outStride: out.stride,
        rows: tokens.length,
        cols,
        limit,
      },
      { threads: 2 },
    );
    const found = out.read();
    return tokens.map((_, r) => {
      const row = found.slice(r * cols, (r + 1) * cols);
      return row[0] === before[0] ? undefined : row;
    });
  }

  const floats = [...['F32', 'F16', 'BF16'].entries()].flatMap(([i, name]) =>
    [7, 45, 64].map((cols) => [name, cols, EMBED_KERNELS[i]] as const),
  );

  test.each(floats)('%s, rows of %d; tokens that do not exist are left out', (name, cols, kernel) => {
    const format: TensorFormat = FORMATS[name as 'F32'];
    const bytes = encode(format, normals(limit * cols, cols), cols);
    const size = formatBytes(format, cols);
    const tokens = [0, limit, 8, 3, 3, -1];
    const found = embed(kernel, bytes, cols, tokens);
    tokens.forEach((token, r) => {
      const there = token >= 0 && token < limit;
      const wanted = there
        ? decode(format, bytes.subarray(token * size, (token + 1) * size), cols)
        : undefined;
      expect(found[r]).toEqual(wanted);
    });
  });

  test('Q8_0, by its member: the bits of the plain decoder', () => {
    const cols = 96;
    const bytes = encode(FORMATS.Q8_0, normals(limit * cols, 1), cols);
    const size = formatBytes(FORMATS.Q8_0, cols);
    const [found] = embed(embedKernel(q8), bytes, cols, [4]);
    expect(found).toEqual(decode(FORMATS.Q8_0, bytes.subarray(4 * size, 5 * size), cols));
  });

  test('blocks of 256 with scales, mins and something shared', () => {
    const blocks = Array.from({ length: 2 * limit }, (_, i) => fullBlock(i));
    const bytes = Uint8Array.from(blocks.flatMap((block) => [...block.bytes]));
    const [found] = embed(embedKernel(full), bytes, 512, [2]);
    expect([...(found ?? [])]).toEqual([...blocks[4].weights, ...blocks[5].weights]);
  });
});
