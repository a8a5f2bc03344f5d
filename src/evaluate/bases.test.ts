/** KL bases of both forms: round trips on a tiny model, pairing, and files that are broken. */
import { beforeAll, expect, test } from 'vitest';
import { openTinyModel } from '../../test/tiny-models.ts';
import { referenceBackend } from '../backends/index.ts';
import { memorySink, memorySource } from '../core/index.ts';
import { Engine, Session } from '../generate/index.ts';
import { type GgufFile, i32, layoutGguf, readGguf, str, u32 } from '../gguf/index.ts';
import { FORMATS } from '../quants/index.ts';
import {
  type BaseForm,
  baseWindows,
  checkModelFits,
  checkSettingsFit,
  checkTextFits,
  type KlBase,
} from './base.ts';
import { readBase, recordBase } from './bases.ts';
import { decodeLogProbs, encodeLogProbs, rowCodes } from './log-probs.ts';
import { measure } from './measure.ts';
import type { Scores } from './scores.ts';
import { type WindowSettings, windowsOf } from './windows.ts';

const CONTEXT = 24;
const SETTINGS: WindowSettings = { contextSize: CONTEXT, stride: 0, bos: 1 };

let file: GgufFile;
let vocabulary: number;
let tokens: Int32Array;

async function withEngine<T>(use: (engine: Engine) => Promise<T>, batch = 512): Promise<T> {
  const engine = await Engine.open(file, {
    backend: referenceBackend(),
    contextSize: CONTEXT,
    cacheType: 'f32',
    batch,
  });
  try {
    return await use(engine);
  } finally {
    engine.close();
  }
}

beforeAll(async () => {
  file = await openTinyModel('llama-gqa-tied');
  vocabulary = await withEngine(async ({ model }) => model.hyper.vocabulary);
  tokens = Int32Array.from({ length: 3 * CONTEXT + 5 }, (_, i) => (7 * i * i + 3) % vocabulary);
});

interface Saved {
  readonly scores: Scores;
  readonly bytes: Uint8Array;
}

function save(form: BaseForm, settings = SETTINGS, batch = 512): Promise<Saved> {
  return withEngine(async (engine) => {
    const sink = memorySink('base');
    const windows = windowsOf(tokens, settings, 'text');
    const recorder = await recordBase(sink, {
      engine,
      form,
      settings,
      tokens,
      windows: windows.length,
      text: 'text',
    });
    return { scores: await measure(engine, { windows, recorder }), bytes: sink.bytes().slice() };
  }, batch);
}

const open = (bytes: Uint8Array): Promise<KlBase> => readBase(memorySource(bytes, 'base'));

async function against(bytes: Uint8Array, batch = 512): Promise<Scores> {
  const base = await open(bytes);
  return withEngine((engine) => measure(engine, { windows: baseWindows(base, 1), base }), batch);
}

/** Half a step of 16 bits over a range of 16 nats: the most that rounding moves a log-probability. */
const ROUNDING = 16 / 65535 / 2;

/** Logits after each token of a sequence, one token at a time. */
async function slowLogits(input: Int32Array): Promise<Float32Array[]> {
  return withEngine(async (engine) => {
    const session = await Session.open(engine);
    const rows: Float32Array[] = [];
    for (const token of input) rows.push((await session.feed(Int32Array.of(token))).slice());
    session.close();
    return rows;
  });
}

function logProbabilities(logits: Float32Array): number[] {
  const sum = Math.log([...logits].reduce((total, value) => total + Math.exp(value), 0));
  return [...logits].map((value) => value - sum);
}

test('losses are those of logits computed token by token', async () => {
  const { scores } = await save('bitmill');
  const windows = windowsOf(tokens, SETTINGS, 'text');
  const expected: number[] = [];
  for (const { input, rows, targets } of windows) {
    const logits = await slowLogits(input);
    targets.forEach((target, i) => void expected.push(-logProbabilities(logits[rows.from + i])[target]));
  }
  expect(scores.windows).toBe(3);
  expect(scores.nll).toHaveLength(expected.length);
  scores.nll.forEach((nll, i) => void expect(nll).toBeCloseTo(expected[i], 5));
});

test('against its own base in our form a model has no divergence at all', async () => {
  const { scores, bytes } = await save('bitmill');
  const { nll, base } = await against(bytes);
  expect([...nll]).toEqual([...scores.nll]);
  expect([...(base?.baseNll ?? [])]).toEqual([...scores.nll]);
  expect(base?.divergence.every((kl) => Math.abs(kl) < 1e-9)).toBe(true);
  expect(base?.sameTop.every((same) => same === 1)).toBe(true);
  expect(base?.p).toEqual(base?.baseP);
});

test("against its own base in llama.cpp's form it has no more than rounding to 16 bits makes", async () => {
  const { scores, bytes } = await save('llama.cpp');
  const { base } = await against(bytes);
  expect(base?.divergence.every((kl) => Math.abs(kl) < ROUNDING)).toBe(true);
  base?.baseNll.forEach((nll, i) => void expect(Math.abs(nll - scores.nll[i])).toBeLessThan(ROUNDING));
});

test.each(['bitmill', 'llama.cpp'] as const)(
  'a base in the form of %s is the same whether chunks go through in one batch or in several',
  async (form) => {
    const whole = await save(form);
    const parts = await save(form, SETTINGS, 7);
    expect(parts.bytes).toEqual(whole.bytes);
    const { base } = await against(whole.bytes, 7);
    expect(base?.divergence.every((kl) => Math.abs(kl) < ROUNDING)).toBe(true);
  },
);

test('layer by layer, in too little memory for the whole model, figures are the same to the last bit', async () => {
  const { scores, bytes } = await save('bitmill');
  const base = await open(bytes);
  const options = { backend: referenceBackend(), contextSize: CONTEXT, cacheType: 'f32' } as const;
  const roomy = await Engine.open(file, options);
  const reserve = base.feedBytes(CONTEXT);
  const engine = await Engine.open(file, { ...options, memory: roomy.streamingBytes() + reserve, reserve });
  expect([roomy.resident, engine.resident]).toEqual([true, false]);
  const streamed = await measure(engine, { windows: baseWindows(base, 1), base });
  expect(streamed.nll).toEqual(scores.nll);
  expect(streamed.base?.divergence.every((kl) => Math.abs(kl) < 1e-9)).toBe(true);
});

test('a base with a stride keeps it, and its overlapping windows', async () => {
  const settings = { contextSize: CONTEXT, stride: 9, bos: 1 };
  const { scores, bytes } = await save('bitmill', settings);
  const base = await open(bytes);
  expect(base.settings).toEqual(settings);
  expect(base.windows).toBe(6);
  expect(scores.nll).toHaveLength(54);
  expect((await against(bytes)).base?.divergence.every((kl) => Math.abs(kl) < 1e-9)).toBe(true);
});

test("llama.cpp's form has no place for a stride", async () => {
  await expect(save('llama.cpp', { ...SETTINGS, stride: 9 })).rejects.toThrow('no stride');
});

test('a row of 16 bits: 0 is e^-16 below the largest or less, and is left out', () => {
  const row = new Uint16Array(rowCodes(3));
  expect(row).toHaveLength(8);
  encodeLogProbs(Float32Array.of(0, -8, -32), row);
  expect([...row.subarray(4, 7)]).toEqual([65535, 32768, 0]);
  const values = new Float32Array(3);
  const mass = decodeLogProbs(row, values);
  // ln(1 + e^-8) is 0.000335.
  expect(values[0]).toBeCloseTo(-0.000335, 4);
  expect(values[1]).toBeCloseTo(-8.000335, 3);
  expect(Math.exp(values[2])).toBe(0);
  expect(mass).toBeCloseTo(1, 4);
});

test('divergence from a file that leaves unlikely tokens out is summed over the others', async () => {
  const { bytes } = await save('llama.cpp');
  const [window] = windowsOf(tokens, SETTINGS, 'text');
  const logits = await slowLogits(window.input);
  const start = 20 + 4 * 3 * CONTEXT;
  const length = rowCodes(vocabulary);
  // The base of the first row: the model's own logits, but so steep that most tokens are cut off.
  const row = new Uint16Array(length);
  const own = logits[window.rows.from];
  const most = Math.max(...own);
  const steep = own.map((value) => (value - most) * (60 / (most - Math.min(...own))));
  encodeLogProbs(steep, row);
  bytes.set(new Uint8Array(row.buffer), start);
  const values = new Float32Array(vocabulary);
  expect(decodeLogProbs(row, values)).toBeLessThan(1.001);
  const used = [...values].filter((value) => value > -16);
  expect(used.length).toBeLessThan(vocabulary / 2);
  const model = logProbabilities(own);
  const expected = [...values].reduce(
    (sum, value, i) => (value > -16 ? sum + Math.exp(value) * (value - model[i]) : sum),
    0,
  );
  const { base } = await against(bytes);
  expect(base?.divergence[0]).toBeCloseTo(expected, 5);
});

/** A model as `checkModelFits` sees it. */
const measured = (change: object) => ({
  name: 'quant.gguf',
  vocabulary,
  vocabularyHash: undefined,
  bos: 1,
  ...change,
});

test('a wrong pairing names both sides', async () => {
  const base = await open((await save('bitmill')).bytes);
  expect(() => checkModelFits(base, measured({}))).not.toThrow();
  expect(() => checkModelFits(base, measured({ vocabulary: 7 }))).toThrow(
    `quant.gguf: has a vocabulary of 7 tokens, the base base one of ${vocabulary}`,
  );
  expect(() => checkModelFits(base, measured({ bos: undefined }))).toThrow(
    'quant.gguf: puts no token before a text, the base base was made with token 1',
  );
  const other = { ...base, origin: base.origin && { ...base.origin, vocabularyHash: 'aa' } };
  expect(() => checkModelFits(other, measured({ vocabularyHash: 'bb' }))).toThrow(
    'its vocabulary is not that of llama-gqa-tied.gguf, which the base base was made from',
  );
});

test('another text is an error that says where it differs', async () => {
  const base = await open((await save('bitmill')).bytes);
  expect(() => checkTextFits(base, tokens, 'wiki.txt')).not.toThrow();
  const changed = tokens.slice();
  changed[30] = (changed[30] + 1) % vocabulary;
  expect(() => checkTextFits(base, changed, 'wiki.txt')).toThrow(
    `wiki.txt: has token ${changed[30]} at position 30, the base base (made from text) has token ${tokens[30]}`,
  );
  expect(() => checkTextFits(base, tokens.slice(0, 40), 'wiki.txt')).toThrow(
    'wiki.txt: has no token at position 40',
  );
});

test('another context or stride is an error', async () => {
  const base = await open((await save('bitmill')).bytes);
  expect(() => checkSettingsFit(base, { contextSize: 512 })).toThrow(
    'base: was made with a context of 24; -c 512 is asked for',
  );
  expect(() => checkSettingsFit(base, { stride: 3 })).toThrow(
    'base: was made with a stride of 0; --stride 3 is asked for',
  );
});

/** Changes to a file in llama.cpp's form, and what is said of each. */
const BROKEN_LOGITS: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array, RegExp])[] = [
  ['an empty file', () => new Uint8Array(0), /no KL base/],
  ['another magic', (b) => patched(b, 0, [0x5f, 0x4c]), /starts with "_Logits_?"|no KL base/],
  ['a file that ends in its header', (b) => b.slice(0, 15), /has 15 bytes/],
  ['a context of 0', (b) => number(b, 8, 0), /the context is 0/],
  ['a context of 2^31 - 1', (b) => number(b, 8, 2 ** 31 - 1), /the context is 2147483647/],
  [
    'a context of another size',
    (b) => number(b, 8, CONTEXT + 2),
    /chunks of 26 tokens .*header is wrong|cut short/,
  ],
  ['a vocabulary of another size', (b) => number(b, 12, vocabulary - 2), /header is wrong/],
  ['a negative vocabulary', (b) => number(b, 12, -1), /the vocabulary is -1/],
  ['2^24 chunks', (b) => number(b, 16, 2 ** 24), /cut short/],
  ['no chunks', (b) => number(b, 16, 0), /number of chunks is 0/],
  ['a token beyond the vocabulary', (b) => number(b, 20 + 4 * 5, 100000), /token 100000 at position 5/],
  ['a negative token', (b) => number(b, 20, -5), /token -5 at position 0/],
  ['a file that lacks its last byte', (b) => b.slice(0, -1), /cut short/],
  ['a file with bytes behind', (b) => Uint8Array.from([...b, 0]), /header is wrong/],
];

function patched(bytes: Uint8Array, at: number, values: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
}

/** @param value written as i32 at byte `at`. */
function number(bytes: Uint8Array, at: number, value: number): Uint8Array {
  return patched(bytes, at, [...new Uint8Array(Int32Array.of(value).buffer)]);
}

test.each(BROKEN_LOGITS)("a base in llama.cpp's form: %s is one clear error", async (_, change, message) => {
  const { bytes } = await save('llama.cpp');
  await expect(open(change(bytes))).rejects.toMatchObject({
    kind: 'input',
    message: expect.stringMatching(message) as string,
  });
});

test('a row that holds no probabilities is an error when it is used', async () => {
  const { bytes } = await save('llama.cpp');
  const start = 20 + 4 * 3 * CONTEXT;
  const bad = patched(bytes, start, [...new Uint8Array(Float32Array.of(Number.NaN).buffer)]);
  await expect(against(bad)).rejects.toThrow('base: row 0: has a scale of NaN');
});

/** Our form with one tensor or key changed. */
async function changed(edit: {
  readonly keys?: Readonly<Record<string, ReturnType<typeof u32> | undefined>>;
  readonly shape?: readonly [string, readonly number[]];
  readonly token?: readonly [number, number];
}): Promise<Uint8Array> {
  const { bytes } = await save('bitmill');
  const base = await readGguf(memorySource(bytes, 'base'));
  const metadata = new Map(base.metadata);
  for (const [key, value] of Object.entries(edit.keys ?? {})) {
    if (value) metadata.set(key, value);
    else metadata.delete(key);
  }
  const specs = base.tensors.map(({ name, format, shape }) => ({
    name,
    format,
    shape: edit.shape?.[0] === name ? edit.shape[1] : shape,
  }));
  const layout = layoutGguf({ metadata, tensors: specs });
  const out = new Uint8Array(layout.size);
  out.set(layout.header);
  for (const [i, tensor] of base.tensors.entries()) {
    const data = await base.read(tensor);
    const room = (layout.offsets[i + 1] ?? layout.size) - layout.offsets[i];
    out.set(data.subarray(0, Math.min(data.length, room)), layout.offsets[i]);
    if (tensor.name === 'tokens' && edit.token) {
      new DataView(out.buffer).setInt32(layout.offsets[i] + 4 * edit.token[0], edit.token[1], true);
    }
  }
  return out;
}

const BROKEN_STATES: readonly (readonly [string, Parameters<typeof changed>[0], RegExp])[] = [
  ['a GGUF of another type', { keys: { 'general.type': str('imatrix') } }, /type imatrix, not a KL base/],
  ['a version to come', { keys: { 'kl_base.version': u32(2) } }, /version 2; version 1 can be read/],
  ['no context', { keys: { 'kl_base.context_length': undefined } }, /kl_base.context_length" is missing/],
  ['a context of 2', { keys: { 'kl_base.context_length': u32(2) } }, /a context of 2 tokens/],
  [
    'a stride beyond the context',
    { keys: { 'kl_base.stride': u32(24) } },
    /a stride of 24 in a context of 24/,
  ],
  ['another context', { keys: { 'kl_base.context_length': u32(20) } }, /final states of 33 rows; .* make 27/],
  ['a BOS beyond the vocabulary', { keys: { 'kl_base.bos_token_id': i32(99999) } }, /token 99999/],
  ['another hash of the tokens', { keys: { 'kl_base.tokens.sha256': str('00') } }, /it is damaged/],
  ['a changed token', { token: [4, 1] }, /it is damaged/],
  ['a token beyond the vocabulary', { token: [4, 99999] }, /token 99999 at position 4/],
  ['too few rows', { shape: ['final', [64, 32]] }, /final states of 32 rows|64 wide/],
];

test.each(BROKEN_STATES)('a base in our form: %s is one clear error', async (_, edit, message) => {
  await expect(open(await changed(edit))).rejects.toMatchObject({
    kind: 'input',
    message: expect.stringMatching(message) as string,
  });
});

test('a base in our form that is cut short is one clear error, wherever it ends', async () => {
  const { bytes } = await save('bitmill');
  for (let length = 4; length < bytes.length; length += 997) {
    await expect(open(bytes.slice(0, length))).rejects.toMatchObject({ kind: 'input' });
  }
});

test('a model is no base', async () => {
  const tensors = [{ name: 'a', format: FORMATS.F32, shape: [1] }];
  const { header, size } = layoutGguf({
    metadata: new Map([['general.architecture', str('llama')]]),
    tensors,
  });
  const bytes = new Uint8Array(size);
  bytes.set(header);
  await expect(open(bytes)).rejects.toThrow('is a GGUF of type model, not a KL base');
});

test('a NaN among the weights is told by the segment that it spoils first', async () => {
  const weight = file.find('blk.1.ffn_down.weight');
  const broken: GgufFile = {
    ...file,
    find: (name) => file.find(name),
    read: async (tensor, offset, length) => {
      const bytes = await file.read(tensor, offset, length);
      if (tensor === weight) new Float32Array(bytes.buffer, bytes.byteOffset, 8).fill(Number.NaN);
      return bytes;
    },
  };
  const engine = await Engine.open(broken, { backend: referenceBackend(), contextSize: CONTEXT });
  const windows = windowsOf(tokens, SETTINGS, 'text');
  await expect(measure(engine, { windows })).rejects.toThrow(/the output of blk\.1 for token 0 is NaN/);
  engine.close();
});
