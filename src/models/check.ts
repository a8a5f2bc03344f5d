/**
 * Whether a GGUF makes sense as a model, beyond being well-formed: layer and head counts, widths, vocabulary.
 * A file that passes can be walked without surprises; what is absent is not checked (vocabulary-only files exist).
 * Letters: E embedding width, L layers, H heads, V vocabulary.
 */
import { type BitmillError, inputError } from '../core/index.ts';
import { type GgufFile, getNumber, getNumbers, getString, getStrings } from '../gguf/index.ts';

/** llama.cpp's own bound (LLAMA_MAX_LAYERS). */
const MAX_LAYERS = 512;

/** Tokens that a sequence may have; longer contexts would only serve to exhaust memory. */
const MAX_CONTEXT = 2 ** 28;

/** Token type numbers in GGUF files: 1 to 6; 6 is a byte. */
const BYTE_TOKEN = 6;

/** Metadata of one file, read by key, with errors that name file and key. */
class Keys {
  readonly #file: GgufFile;
  readonly #prefix: string;

  constructor(file: GgufFile, architecture: string) {
    this.#file = file;
    this.#prefix = architecture;
  }

  /** A hyper-parameter: one number, or one a layer. Undefined if absent. */
  perLayer(key: string): readonly number[] | undefined {
    const full = `${this.#prefix}.${key}`;
    const entry = this.#file.metadata.get(full);
    if (!entry) return undefined;
    if (entry.type === 'array') return getNumbers(this.#file.metadata, full, this.#file.name);
    const value = getNumber(this.#file.metadata, full, this.#file.name);
    return value === undefined ? undefined : [value];
  }

  fail(key: string, problem: string): BitmillError {
    return inputError(this.#file.name, `${this.#prefix}.${key} ${problem}`);
  }

  /** Checks that every value of a key is a whole number from `least` to `most`. */
  whole(key: string, least: number, most: number): readonly number[] | undefined {
    const values = this.perLayer(key);
    const wrong = values?.find((value) => !Number.isSafeInteger(value) || value < least || value > most);
    if (wrong !== undefined) throw this.fail(key, `is ${wrong}; ${least} to ${most} is allowed`);
    return values;
  }
}

function checkHeads(keys: Keys): void {
  // A layer without attention has no heads; a model without any is nonsense.
  const heads = keys.whole('attention.head_count', 0, 65536);
  const kvHeads = keys.whole('attention.head_count_kv', 0, 65536);
  if (heads && !heads.some((count) => count > 0)) throw keys.fail('attention.head_count', 'is 0');
  kvHeads?.forEach((kv, layer) => {
    const all = heads?.[heads.length === 1 ? 0 : layer] ?? 0;
    if (kv > 0 && (kv > all || all % kv !== 0)) {
      throw keys.fail('attention.head_count_kv', `is ${kv}, which does not divide head_count ${all}`);
    }
  });
}

function checkWidths(file: GgufFile, keys: Keys): void {
  const [width] = keys.whole('embedding_length', 1, 2 ** 24) ?? [];
  const embedding = file.find('token_embd.weight');
  if (width !== undefined && embedding && embedding.shape[0] !== width) {
    throw keys.fail(
      'embedding_length',
      `is ${width}, but the rows of token_embd.weight are ${embedding.shape[0]} wide`,
    );
  }
  const [dimensions] = keys.whole('rope.dimension_count', 0, 2 ** 16) ?? [];
  if (dimensions === undefined) return;
  if (dimensions % 2 !== 0) throw keys.fail('rope.dimension_count', `is ${dimensions}, which is odd`);
  for (const name of ['rope_factors_long.weight', 'rope_factors_short.weight', 'rope_freqs.weight']) {
    const factors = file.find(name);
    if (factors && factors.weights !== dimensions / 2) {
      throw inputError(
        file.name,
        `${name} has ${factors.weights} factors for ${dimensions} rope dimensions: half are needed`,
      );
    }
  }
}

/** Layer numbers in tensor names stay below the layer count. */
function checkLayers(file: GgufFile, keys: Keys): void {
  const [layers] = keys.whole('block_count', 1, MAX_LAYERS) ?? [];
  if (layers === undefined) return;
  const beyond = file.tensors.find(({ name }) => Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? 0) >= layers);
  if (beyond) throw keys.fail('block_count', `is ${layers}, but there is a tensor ${beyond.name}`);
}

function checkTokens(file: GgufFile, tokens: readonly string[]): void {
  const key = (name: string) => `tokenizer.ggml.${name}`;
  const seen = new Set<string>();
  for (const token of tokens) {
    if (seen.has(token))
      throw inputError(file.name, `${key('tokens')} has ${JSON.stringify(token.slice(0, 60))} twice`);
    seen.add(token);
  }
  for (const name of ['scores', 'token_type']) {
    const values = getNumbers(file.metadata, key(name), file.name);
    if (values && values.length !== tokens.length) {
      throw inputError(file.name, `${key(name)} has ${values.length} elements for ${tokens.length} tokens`);
    }
  }
  const types = getNumbers(file.metadata, key('token_type'), file.name) ?? [];
  const badByte = tokens.find((token, id) => types[id] === BYTE_TOKEN && !/^<0x[0-9A-Fa-f]{2}>$/.test(token));
  if (badByte !== undefined) {
    throw inputError(
      file.name,
      `${key('tokens')}: byte token ${JSON.stringify(badByte.slice(0, 60))} is not of the form <0x41>`,
    );
  }
}

function checkVocabulary(file: GgufFile): void {
  const tokens = getStrings(file.metadata, 'tokenizer.ggml.tokens', file.name);
  if (!tokens) return;
  checkTokens(file, tokens);
  const merges = getStrings(file.metadata, 'tokenizer.ggml.merges', file.name) ?? [];
  const bad = merges.findIndex((merge) => merge.indexOf(' ', 1) < 1);
  if (bad >= 0) {
    const shown = JSON.stringify(merges[bad].slice(0, 60));
    throw inputError(
      file.name,
      `tokenizer.ggml.merges: element ${bad}, ${shown}, is not two pieces parted by a space`,
    );
  }
  for (const key of file.metadata.keys()) {
    if (!/^tokenizer\.ggml\.[a-z_]+_token_id$/.test(key)) continue;
    const id = getNumber(file.metadata, key, file.name) ?? 0;
    // Some converters write -1 or 2^32 - 1 for "none".
    if (id === -1 || id === 2 ** 32 - 1) continue;
    if (!Number.isInteger(id) || id < 0 || id >= tokens.length) {
      throw inputError(file.name, `${key} is ${id}, but there are ${tokens.length} tokens`);
    }
  }
}

/**
 * Checks a GGUF that is a model. @throws input error: the first thing that cannot be, with file, key or tensor,
 * what was found and what is allowed.
 */
export function checkModel(file: GgufFile): void {
  const architecture = getString(file.metadata, 'general.architecture', file.name);
  if (architecture === undefined) {
    throw inputError(
      file.name,
      'general.architecture is missing: it is no model',
      'an imatrix or adapter file cannot be quantized',
    );
  }
  const keys = new Keys(file, architecture);
  checkLayers(file, keys);
  checkHeads(keys);
  checkWidths(file, keys);
  keys.whole('context_length', 1, MAX_CONTEXT);
  const [epsilon] = keys.perLayer('attention.layer_norm_rms_epsilon') ?? [];
  if (epsilon !== undefined && !(epsilon > 0 && epsilon < 1)) {
    throw keys.fail('attention.layer_norm_rms_epsilon', `is ${epsilon}; between 0 and 1 is allowed`);
  }
  checkVocabulary(file);
}
