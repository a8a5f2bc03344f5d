/** A set as `make` would describe it, with plausible numbers, for tests: 27 types of a model of 3.8 B parameters. */
import { QUANT_SET, type QuantEntry, type QuantSet } from './index.ts';

const PARAMETERS = 3_821_079_552;

/** Type, bits per weight, mean KLD, share of equal first choices. */
const TYPES: readonly (readonly [string, number, number, number])[] = [
  ['IQ1_S', 1.84, 2.61, 0.351],
  ['IQ1_M', 1.99, 1.93, 0.42],
  ['IQ2_XXS', 2.19, 1.02, 0.552],
  ['IQ2_XS', 2.41, 0.681, 0.624],
  ['IQ2_S', 2.53, 0.573, 0.65],
  ['Q2_K_S', 2.65, 0.592, 0.645],
  ['IQ2_M', 2.73, 0.442, 0.69],
  ['Q2_K', 3.01, 0.391, 0.705],
  ['IQ3_XXS', 3.1, 0.262, 0.757],
  ['IQ3_XS', 3.3, 0.214, 0.778],
  ['Q3_K_S', 3.36, 0.231, 0.77],
  ['IQ3_S', 3.43, 0.174, 0.799],
  ['IQ3_M', 3.66, 0.158, 0.808],
  ['Q3_K_M', 3.92, 0.127, 0.829],
  ['IQ4_XS', 4.19, 0.0612, 0.879],
  ['Q3_K_L', 4.39, 0.119, 0.835],
  ['Q4_K_S', 4.4, 0.0571, 0.883],
  ['IQ4_NL', 4.41, 0.0583, 0.881],
  ['Q4_0', 4.42, 0.0782, 0.866],
  ['Q4_K_M', 4.78, 0.0472, 0.894],
  ['Q4_1', 4.86, 0.0681, 0.874],
  ['Q5_K_S', 5.29, 0.0202, 0.929],
  ['Q5_0', 5.31, 0.0238, 0.923],
  ['Q5_K_M', 5.5, 0.0161, 0.936],
  ['Q5_1', 5.75, 0.0194, 0.93],
  ['Q6_K', 6.56, 0.00519, 0.963],
  ['Q8_0', 8.5, 0.00102, 0.983],
];

const LAYERS = 32;
const KINDS = ['attn_qkv', 'attn_output', 'ffn_up', 'ffn_down'];

/** 64 digits that are no hash of anything. */
export function digits(seed: number): string {
  return Array.from({ length: 64 }, (_, i) => ((seed * 7 + i * 5) % 16).toString(16)).join('');
}

/** Errors that grow where bits shrink, in the first layers and in ffn_down. */
function errorsOf(bits: number): NonNullable<QuantEntry['errors']> {
  const entries = Array.from({ length: LAYERS }, (_, layer) =>
    KINDS.map((kind, k) => {
      const slope = (1 + 2 / (1 + layer)) * (1 + 0.35 * k) * (1 + 0.2 * Math.sin(layer * 1.7 + k));
      const error = 0.6 * 4 ** -bits * slope;
      return [`blk.${layer}.${kind}.weight`, { format: 'Q', error }] as const;
    }),
  );
  return Object.fromEntries([...entries.flat(), ['output.weight', { format: 'Q6_K', error: 2e-4 }]]);
}

function quantOf([type, bitsPerWeight, kld, sameTop]: (typeof TYPES)[number], i: number): QuantEntry {
  const bytes = Math.round((bitsPerWeight * PARAMETERS) / 8);
  const ppl = 6.3421 * Math.exp(0.82 * kld);
  return {
    type,
    files: [{ name: `Phi-3-mini-4k-instruct-${type}.gguf`, bytes, sha256: digits(i) }],
    bytes,
    bitsPerWeight,
    figures: {
      ppl,
      ppl_se: ppl / 160,
      ppl_ci: [ppl * 0.985, ppl * 1.015],
      kld_mean: kld,
      kld_mean_se: kld * 0.011,
      kld_p999: kld * 6 + 0.2 * Math.sqrt(kld),
      same_top: sameTop,
    },
    exam: { right: Math.round(182 * Math.exp(-0.5 * kld)), total: 200, categories: {} },
    errors: errorsOf(bitsPerWeight),
  };
}

/** A new set each time, to be changed at will. */
export function testSet(): QuantSet {
  const original = { name: 'Phi-3-mini-4k-instruct-BF16.gguf', bytes: 7_643_295_904, sha256: digits(100) };
  return QUANT_SET.parse({
    version: 1,
    bitmill: '0.2.0',
    model: {
      name: 'Phi-3-mini-4k-instruct',
      source: 'example/Phi-3-mini-4k-instruct',
      baseModel: 'example/Phi-3-mini-4k-instruct',
      architecture: 'phi3',
      parameters: PARAMETERS,
      layers: LAYERS,
      contextLength: 4096,
      vocabulary: 32064,
      cacheWidth: 2 * LAYERS * 3072,
      license: 'mit',
      licenseLink: 'https://huggingface.co/example/Phi-3-mini-4k-instruct/resolve/main/LICENSE',
      languages: ['en', 'no'],
      tags: ['nlp', 'code'],
      chatExample: '<|user|>\nWhat is 2 + 2?<|end|>\n<|assistant|>\n`4`<|end|>\n',
      dtype: 'bf16',
      files: [original],
      bytes: original.bytes,
      bitsPerWeight: 16,
    },
    inputs: [
      {
        role: 'checkpoint',
        name: 'model-00001-of-00002.safetensors',
        bytes: 4_972_489_328,
        sha256: digits(101),
      },
      {
        role: 'checkpoint',
        name: 'model-00002-of-00002.safetensors',
        bytes: 2_669_692_552,
        sha256: digits(102),
      },
      { role: 'calibration', name: 'calibration.txt', bytes: 1_703_936, sha256: digits(103) },
      { role: 'evaluation', name: 'wiki.test.txt', bytes: 1_290_590, sha256: digits(104) },
    ],
    imatrix: {
      file: { name: 'Phi-3-mini-4k-instruct.imatrix.gguf', bytes: 4_813_000, sha256: digits(105) },
      chunks: 200,
      contextSize: 512,
      tokens: 102_400,
      parseSpecial: false,
    },
    evaluation: {
      text: 'wiki.test.txt',
      chunks: 100,
      contextSize: 512,
      tokens: 25_500,
      parseSpecial: false,
      figures: { ppl: 6.3421, ppl_se: 0.0396, ppl_ci: [6.25, 6.44] },
      exam: { right: 182, total: 200, categories: {} },
    },
    recipes: 'llama.cpp-2026',
    effort: 'best',
    sampledRows: 256,
    quants: TYPES.map(quantOf),
    commands: [
      'bitmill convert example/Phi-3-mini-4k-instruct -o Phi-3-mini-4k-instruct-BF16.gguf',
      'bitmill imatrix -m Phi-3-mini-4k-instruct-BF16.gguf -f calibration.txt --chunks 200',
      'bitmill quantize Phi-3-mini-4k-instruct-BF16.gguf -o . --types all --imatrix Phi-3-mini-4k-instruct.imatrix.gguf --effort best',
    ],
    steps: [{ name: 'quantize', seconds: 123.4 }],
  });
}
