/** Row families on which encoders are compared: rows of weights with an importance per column. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gguf } from '@huggingface/gguf';
import { decode, FORMATS } from '../dist/quants/index.js';

const CACHE = process.env.BITMILL_TEST_CACHE ?? path.join(os.homedir(), '.cache', 'bitmill');

/** Uniform numbers in (0, 1), seeded (mulberry32). */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (((x ^ (x >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
}

function normal(seed) {
  const random = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
}

/** Lognormal importance with spread sigma; a share of the columns is 100 times heavier. */
export function importanceOf(cols, seed, sigma, outliers) {
  const gauss = normal(seed);
  const random = uniform(seed + 1);
  return Float32Array.from(
    { length: cols },
    () => Math.exp(sigma * gauss()) * (random() < outliers ? 100 : 1),
  );
}

/** Student-t numbers with 5 degrees of freedom: heavy tails, as trained weights have. */
export function studentT(seed) {
  const gauss = normal(seed);
  return () => {
    let chi = 0;
    for (let i = 0; i < 5; i++) chi += gauss() ** 2;
    return gauss() / Math.sqrt(chi / 5);
  };
}

function synthetic(rows, cols, next, scale) {
  return Float32Array.from({ length: rows * cols }, () => scale * next());
}

const FAMILIES = {
  /** Gaussian rows, mild importance. */
  gauss: (rows) => ({
    x: synthetic(rows, 1536, normal(1), 0.02),
    cols: 1536,
    importance: importanceOf(1536, 2, 0.5, 0),
  }),
  /** Student-t(5) rows, wide importance with outlier columns. */
  heavy: (rows) => ({
    x: synthetic(rows, 1536, studentT(3), 0.02),
    cols: 1536,
    importance: importanceOf(1536, 4, 1, 0.004),
  }),
  /** all-MiniLM-L6-v2, `output.dense.weight` of layer 3: f32, 384 x 1536. */
  minilm: (rows) => {
    const bytes = readFileSync(path.join(CACHE, 'minilm.safetensors'));
    const header = Number(bytes.readBigUInt64LE(0));
    const tensors = JSON.parse(bytes.toString('utf8', 8, 8 + header));
    const [name, info] = Object.entries(tensors).find(([key]) => key.endsWith('layer.3.output.dense.weight'));
    const at = 8 + header + info.data_offsets[0];
    const cols = info.shape[1];
    if (cols !== 1536) throw new Error(`${name} is ${cols} wide, not 1536`);
    const used = Math.min(rows, info.shape[0]);
    const x = new Float32Array(
      bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + 4 * used * cols),
    );
    return { x, cols, importance: importanceOf(cols, 5, 0.7, 0.002) };
  },
  /** SmolLM2-135M, `ffn_down` of layer 7, dequantized from Q4_1: 576 x 1536. */
  smollm2: async (rows) => {
    const file = path.join(CACHE, 'smollm2.gguf');
    const { tensorInfos, tensorDataOffset } = await gguf(file, { allowLocalFile: true });
    const info = tensorInfos.find(({ name }) => name === 'blk.7.ffn_down.weight');
    const cols = Number(info.shape[0]);
    const format = Object.values(FORMATS).find(({ id }) => id === info.dtype);
    const count = Math.min(rows, Number(info.shape[1])) * cols;
    const at = Number(tensorDataOffset) + Number(info.offset);
    const size = (count / format.blockSize) * format.blockBytes;
    return {
      x: decode(format, readFileSync(file).subarray(at, at + size), count),
      cols,
      importance: importanceOf(cols, 6, 0.7, 0.002),
    };
  },
};

/** @returns {{family: string, x: Float32Array, cols: number, importance: Float32Array}[]} */
export async function loadFamilies(names, rows) {
  const loaded = [];
  for (const family of names) {
    if (!FAMILIES[family])
      throw new Error(`unknown family ${family}; there are ${Object.keys(FAMILIES).join(', ')}`);
    try {
      loaded.push({ family, ...(await FAMILIES[family](rows)) });
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
      console.error(`family ${family} left out: ${error.path} is missing (npm run fetch-models)`);
    }
  }
  return loaded;
}
