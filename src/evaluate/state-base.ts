/**
 * KL bases in bitmill's own form: a GGUF of type `kl-base` with the tokens, the normalized final hidden states of the
 * scored rows and the output matrix as the model has it. Applying the matrix again gives the logits, so nothing is
 * lost and a row takes 4 * E bytes instead of 2 * V (a fifth for Phi-3-mini). Letters: E width, V vocabulary, R rows.
 */
import { type Backend, type Buffer, bytesOf, type Program } from '../backends/index.ts';
import { type ByteSink, type ByteSource, inputError } from '../core/index.ts';
import type { Engine, HeadResult, RowRange } from '../generate/index.ts';
import {
  type GgufFile,
  type GgufTensor,
  type GgufValue,
  getNumber,
  getString,
  i32,
  layoutGguf,
  needNumber,
  needString,
  pieces,
  readGguf,
  str,
  u32,
} from '../gguf/index.ts';
import { GraphBuilder, type OpName, type Weight, weightOf } from '../graph/index.ts';
import { FORMATS } from '../quants/index.ts';
import {
  type BaseFeed,
  type BaseOrigin,
  type BaseRecorder,
  checkTokens,
  type KlBase,
  type LoadedRows,
} from './base.ts';
import { hashTokens } from './hash.ts';
import { checkSettings, scoredRows, spannedTokens, type WindowSettings, windowCount } from './windows.ts';

/** `general.type` of such files. */
const TYPE = 'kl-base';

/** Counts changes that readers must know of. */
const VERSION = 1;

const KEYS = {
  version: 'kl_base.version',
  contextSize: 'kl_base.context_length',
  stride: 'kl_base.stride',
  /** Absent where the model wants no BOS. */
  bos: 'kl_base.bos_token_id',
  model: 'kl_base.model.name',
  modelHash: 'kl_base.model.sha256',
  text: 'kl_base.text.name',
  tokensHash: 'kl_base.tokens.sha256',
  vocabularyHash: 'kl_base.vocabulary.sha256',
} as const;

const TENSORS = { tokens: 'tokens', final: 'final', output: 'output.weight', bias: 'output.bias' } as const;

/** What the output segment of a model must be for its logits to be made again from the file. */
const OUTPUT_OPS: readonly OpName[] = ['matmul', 'add_bias'];

interface Plan {
  readonly engine: Engine;
  readonly settings: WindowSettings;
  readonly tokens: Int32Array;
  readonly windows: number;
  readonly origin: BaseOrigin;
}

function metadataOf({ settings, origin }: Plan, tokensHash: string): Map<string, GgufValue> {
  const { bos } = settings;
  return new Map<string, GgufValue>([
    ['general.type', str(TYPE)],
    [KEYS.version, u32(VERSION)],
    [KEYS.contextSize, u32(settings.contextSize)],
    [KEYS.stride, u32(settings.stride)],
    ...(bos === undefined ? [] : [[KEYS.bos, i32(bos)] as const]),
    [KEYS.model, str(origin.model)],
    [KEYS.modelHash, str(origin.modelHash)],
    [KEYS.text, str(origin.text)],
    [KEYS.tokensHash, str(tokensHash)],
    ...(origin.vocabularyHash ? [[KEYS.vocabularyHash, str(origin.vocabularyHash)] as const] : []),
  ]);
}

/** Tensors of the model that make logits from final states, with their names in the file. */
function outputTensors({ model, graphs }: Engine): Map<string, GgufTensor> {
  const { nodes, weights, name } = graphs.output;
  const strange = nodes.find(({ op }, i) => op !== OUTPUT_OPS[i]);
  if (strange) throw new Error(`${name}: a base cannot hold its ${strange.op}`);
  return new Map(
    weights.map((weight, i) => {
      const tensor = model.file.find(weight.name);
      if (!tensor) throw inputError(model.file.name, `tensor ${weight.name} is missing`);
      return [i === 0 ? TENSORS.output : TENSORS.bias, tensor];
    }),
  );
}

/** Starts a file in our form; it is whole when every scored row of every window was recorded. */
export async function recordStates(sink: ByteSink, plan: Plan): Promise<BaseRecorder> {
  const { engine, settings, windows } = plan;
  const { model, backend } = engine;
  const { width } = model.hyper;
  const tokens = plan.tokens.slice(0, spannedTokens(windows, settings));
  const scored = scoredRows(settings);
  const rowsPerWindow = scored.to - scored.from;
  const outputs = outputTensors(engine);
  const layout = layoutGguf({
    metadata: metadataOf(plan, await hashTokens(tokens)),
    tensors: [
      { name: TENSORS.tokens, format: FORMATS.I32, shape: [tokens.length] },
      ...[...outputs].map(([name, { format, shape }]) => ({ name, format, shape })),
      { name: TENSORS.final, format: FORMATS.F32, shape: [width, windows * rowsPerWindow] },
    ],
  });
  // One byte at the end makes the file as long as it must be, with zeros for padding.
  await sink.write(layout.size - 1, new Uint8Array(1));
  await sink.write(0, layout.header);
  await sink.write(layout.offsets[0], bytesOf(tokens));
  for (const [i, tensor] of [...outputs.values()].entries()) {
    for await (const { offset, bytes } of pieces(model.file, tensor)) {
      await sink.write(layout.offsets[i + 1] + offset, bytes);
    }
  }
  const start = layout.offsets[outputs.size + 1];
  return {
    record: async ({ chunk, rows, final }: HeadResult) => {
      const first = chunk * rowsPerWindow + rows.from - scored.from;
      const states = await backend.read(final, 0, 4 * width * (rows.to - rows.from));
      await sink.write(start + 4 * width * first, states);
    },
  };
}

/** A tensor that must be there in a certain format. */
function needTensor(file: GgufFile, name: string, format?: GgufTensor['format']): GgufTensor {
  const tensor = file.find(name);
  if (!tensor) throw inputError(file.name, `tensor ${name} is missing`);
  if (format && tensor.format !== format) {
    throw inputError(file.name, `tensor ${name} is ${tensor.format.name}, not ${format.name}`);
  }
  return tensor;
}

function readSettings({ metadata, name }: GgufFile): WindowSettings {
  const version = needNumber(metadata, KEYS.version, name);
  if (version !== VERSION) {
    throw inputError(name, `is a base of version ${version}; version ${VERSION} can be read`);
  }
  const whole = (key: string): number => {
    const value = needNumber(metadata, key, name);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw inputError(name, `${key} is ${value}: a whole number is allowed`);
  };
  const settings = {
    contextSize: whole(KEYS.contextSize),
    stride: whole(KEYS.stride),
    bos: getNumber(metadata, KEYS.bos, name),
  };
  try {
    checkSettings(settings);
  } catch (error) {
    throw inputError(name, error instanceof Error ? error.message : String(error));
  }
  return settings;
}

/** The tensors of a base, found to fit together. */
interface Parts {
  readonly file: GgufFile;
  readonly final: GgufTensor;
  readonly output: Weight;
  readonly bias: Weight | undefined;
}

function readParts(file: GgufFile, rows: number): Parts {
  const final = needTensor(file, TENSORS.final, FORMATS.F32);
  const output = weightOf(needTensor(file, TENSORS.output));
  const bias = file.find(TENSORS.bias);
  const [width, found = 1] = final.shape;
  if (width !== output.cols) {
    throw inputError(
      file.name,
      `final states are ${width} wide, rows of ${TENSORS.output} ${output.cols}: they differ`,
    );
  }
  if (found !== rows || final.shape.length > 2) {
    throw inputError(file.name, `has final states of ${found} rows; its tokens and context make ${rows}`);
  }
  if (output.format.kind === 'integer') {
    throw inputError(
      file.name,
      `tensor ${TENSORS.output} is ${output.format.name}, which is no format of weights`,
    );
  }
  if (bias && (bias.weights !== output.rows || bias.format.kind !== 'float')) {
    throw inputError(
      file.name,
      `tensor ${TENSORS.bias} is not one plain float for each of ${output.rows} tokens`,
    );
  }
  return { file, final, output, bias: bias && weightOf({ ...bias, shape: [bias.weights] }) };
}

class StateFeed implements BaseFeed {
  readonly program: Program;
  readonly #parts: Parts;
  readonly #settings: WindowSettings;
  readonly #backend: Backend;
  readonly #bind: ReadonlyMap<string, Buffer>;
  readonly #states: Buffer;

  private constructor(
    parts: Parts,
    settings: WindowSettings,
    backend: Backend,
    rows: number,
    weights: ReadonlyMap<string, Buffer>,
  ) {
    const { output, bias } = parts;
    const graph = new GraphBuilder('divergence');
    const logits = graph.input('logits', 'S', output.rows);
    const states = graph.input('base_final', 'S', output.cols);
    const targets = graph.input('targets', 'S', 1, 'i32');
    const product = graph.matmul(states, { ...output, shape: [output.cols, output.rows] });
    const base = bias ? graph.addBias(product, { ...bias, shape: [bias.cols] }) : product;
    graph.output('scores', graph.divergence(logits, base, targets));
    this.program = backend.compile(graph.build());
    this.#parts = parts;
    this.#settings = settings;
    this.#backend = backend;
    this.#states = backend.alloc(4 * rows * output.cols, 'base_final');
    this.#bind = new Map([...weights, ['base_final', this.#states]]);
  }

  static async open(
    parts: Parts,
    settings: WindowSettings,
    backend: Backend,
    rows: number,
  ): Promise<StateFeed> {
    const { file, output, bias } = parts;
    const weights = new Map<string, Buffer>();
    for (const weight of bias ? [output, bias] : [output]) {
      const tensor = needTensor(file, weight.name);
      weights.set(
        weight.name,
        await backend.upload(weight, (offset, length) => file.read(tensor, offset, length)),
      );
    }
    return new StateFeed(parts, settings, backend, rows, weights);
  }

  async load(window: number, rows: RowRange): Promise<LoadedRows> {
    const { file, final, output } = this.#parts;
    const scored = scoredRows(this.#settings);
    const first = window * (scored.to - scored.from) + rows.from - scored.from;
    const rowBytes = 4 * output.cols;
    const bytes = await file.read(final, first * rowBytes, (rows.to - rows.from) * rowBytes);
    this.#backend.write(this.#states, 0, bytes);
    return { bind: this.#bind };
  }

  close(): void {
    for (const buffer of this.#bind.values()) this.#backend.free(buffer);
  }
}

/** Reads the head of a base in our form. @throws input error: malformed, of other tokens than it says, misshapen. */
export async function readStateBase(source: ByteSource): Promise<KlBase> {
  const file = await readGguf(source);
  const { metadata, name } = file;
  const type = getString(metadata, 'general.type', name);
  if (type !== TYPE) {
    throw inputError(name, `is a GGUF of type ${type ?? 'model'}, not a KL base (${TYPE})`);
  }
  const settings = readSettings(file);
  const stored = await file.read(needTensor(file, TENSORS.tokens, FORMATS.I32));
  const tokens = new Int32Array(stored.slice().buffer);
  const windows = windowCount(tokens.length, settings);
  const { from, to } = scoredRows(settings);
  const parts = readParts(file, windows * (to - from));
  const vocabulary = parts.output.rows;
  checkTokens(tokens, vocabulary, name);
  if (settings.bos !== undefined)
    checkTokens(Int32Array.of(settings.bos), vocabulary, `${name}: ${KEYS.bos}`);
  if ((await hashTokens(tokens)) !== needString(metadata, KEYS.tokensHash, name)) {
    throw inputError(name, `its tokens do not have the SHA-256 that ${KEYS.tokensHash} tells: it is damaged`);
  }
  return {
    name,
    form: 'bitmill',
    vocabulary,
    settings,
    tokens,
    windows,
    origin: {
      model: needString(metadata, KEYS.model, name),
      modelHash: needString(metadata, KEYS.modelHash, name),
      text: needString(metadata, KEYS.text, name),
      vocabularyHash: getString(metadata, KEYS.vocabularyHash, name),
    },
    feedBytes: (rows) => needTensor(file, TENSORS.output).bytes + 4 * rows * (parts.output.cols + vocabulary),
    feed: (backend, rows) => StateFeed.open(parts, settings, backend, rows),
  };
}
