/**
 * The partial file of a collection: an importance matrix in GGUF form of what was seen so far, which every reader takes,
 * and beside it the f64 sums and the keys that are needed to go on to the same bytes.
 *
 *     <weight>.in_sum2.<g>  F64 [C]   sums of group g, not weighted; readers of the GGUF form leave them alone
 *     <weight>.counts.<g>   F64 [1]   tokens behind them
 */
import { type ByteSource, inputError } from '../core/index.ts';
import {
  f64,
  type GgufFile,
  type GgufTensor,
  type GgufValue,
  layoutGguf,
  needNumber,
  needString,
  readGguf,
  str,
  type TensorSpec,
  u32,
} from '../gguf/index.ts';
import { FORMATS } from '../quants/index.ts';
import type { ChunkGroup, CollectState, InputSums } from './collect.ts';
import { ggufFormParts } from './gguf-form.ts';
import type { ImportanceMatrix } from './types.ts';

/** What a run is made of, as hashes; `texts` covers the chunks that are done and their weights. */
export interface RunKey {
  readonly model: string;
  readonly settings: string;
  readonly texts: string;
}

const KEYS = {
  model: 'bitmill.imatrix.model',
  settings: 'bitmill.imatrix.settings',
  texts: 'bitmill.imatrix.texts',
} as const satisfies Record<keyof RunKey, string>;

const DONE = 'bitmill.imatrix.chunks_done';
const GROUPS = 'bitmill.imatrix.groups';
const LOSS = {
  nll: 'bitmill.imatrix.loss_sum',
  squares: 'bitmill.imatrix.loss_squares',
  tokens: 'bitmill.imatrix.loss_tokens',
} as const;

/** Groups are few: one a distinct weight of a text. */
const MAX_GROUPS = 4096;

/** Feeds a hash with the first `done` chunks of the groups, in order, each with its weight. */
export function hashChunks(
  hash: { update(bytes: Uint8Array | string): unknown },
  groups: readonly ChunkGroup[],
  done: number,
): void {
  const all = groups.flatMap(({ weight, chunks }) => chunks.map((chunk) => ({ weight, chunk })));
  for (const { weight, chunk } of all.slice(0, done)) {
    hash.update(JSON.stringify([weight, chunk.length]));
    hash.update(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }
}

/** What differs, in a word for the user; undefined if nothing does. */
export function keyDifference(a: RunKey, b: RunKey): string | undefined {
  const words = { model: 'another model', settings: 'other settings', texts: 'other texts' } as const;
  const parts = ['model', 'settings', 'texts'] as const;
  const part = parts.find((one) => a[one] !== b[one]);
  return part && words[part];
}

/** @param preview the matrix of what is done so far. */
export function writePartial(preview: ImportanceMatrix, state: CollectState, key: RunKey): Uint8Array {
  const { metadata, tensors, data } = ggufFormParts(preview);
  const own: [string, GgufValue][] = [
    ...Object.entries(KEYS).map(([part, name]): [string, GgufValue] => [
      name,
      str(key[part as keyof RunKey]),
    ]),
    [DONE, u32(state.chunksDone)],
    [GROUPS, u32(state.totals.length)],
    [LOSS.nll, f64(state.loss.nll)],
    [LOSS.squares, f64(state.loss.squares)],
    [LOSS.tokens, f64(state.loss.tokens)],
  ];
  const specs: TensorSpec[] = [...tensors];
  const values: (Float32Array | Float64Array)[] = [...data];
  state.totals.forEach((totals, group) => {
    for (const [name, { sums, count }] of totals) {
      specs.push({ name: `${name}.in_sum2.${group}`, format: FORMATS.F64, shape: [sums.length] });
      specs.push({ name: `${name}.counts.${group}`, format: FORMATS.F64, shape: [1] });
      values.push(sums, Float64Array.of(count));
    }
  });
  const { header, offsets, size } = layoutGguf({ metadata: new Map([...metadata, ...own]), tensors: specs });
  const bytes = new Uint8Array(size);
  bytes.set(header);
  values.forEach(({ buffer, byteOffset, byteLength }, i) => {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), offsets[i]);
  });
  return bytes;
}

async function readDoubles(file: GgufFile, tensor: GgufTensor): Promise<Float64Array> {
  if (tensor.format !== FORMATS.F64) {
    throw inputError(file.name, `tensor ${tensor.name} is ${tensor.format.name}, not F64`);
  }
  return new Float64Array(Uint8Array.from(await file.read(tensor)).buffer);
}

async function readSums(file: GgufFile, group: number): Promise<Map<string, InputSums>> {
  const suffix = `.in_sum2.${group}`;
  const totals = new Map<string, InputSums>();
  for (const tensor of file.tensors.filter(({ name }) => name.endsWith(suffix))) {
    const name = tensor.name.slice(0, -suffix.length);
    const counts = file.find(`${name}.counts.${group}`);
    if (!counts) throw inputError(file.name, `tensor ${name} has no counts (.counts.${group})`);
    const [count] = await readDoubles(file, counts);
    const sums = await readDoubles(file, tensor);
    if (![count, ...sums].every((value) => value >= 0 && Number.isFinite(value))) {
      throw inputError(file.name, `tensor ${tensor.name} has numbers that no calibration gives`);
    }
    totals.set(name, { sums, count });
  }
  return totals;
}

/** @throws input error: not a partial file, or a damaged one. */
export async function readPartial(source: ByteSource): Promise<{ state: CollectState; key: RunKey }> {
  const file = await readGguf(source);
  const text = (key: string) => needString(file.metadata, key, file.name);
  const number = (key: string) => needNumber(file.metadata, key, file.name);
  const groups = number(GROUPS);
  if (!(groups >= 1 && groups <= MAX_GROUPS)) {
    throw inputError(file.name, `${GROUPS} is ${groups}; 1 to ${MAX_GROUPS} is allowed`);
  }
  const chunksDone = number(DONE);
  if (!(Number.isInteger(chunksDone) && chunksDone >= 0)) {
    throw inputError(file.name, `${DONE} is ${chunksDone}, no count`);
  }
  const totals: Map<string, InputSums>[] = [];
  for (let group = 0; group < groups; group++) totals.push(await readSums(file, group));
  return {
    state: {
      chunksDone,
      totals,
      loss: { nll: number(LOSS.nll), squares: number(LOSS.squares), tokens: number(LOSS.tokens) },
    },
    key: { model: text(KEYS.model), settings: text(KEYS.settings), texts: text(KEYS.texts) },
  };
}
