/** The numbers of a decoder-only transformer, read from a file and found to fit each other. */
import { inputError } from '../core/index.ts';
import { getStrings } from '../gguf/index.ts';
import type { HyperParameters } from './language-model.ts';
import type { ModelReader } from './tensors.ts';

export interface Sizes extends HyperParameters {
  /** Width inside the feed-forward network. */
  readonly feedForward: number;
  /** Columns of a head that are rotated: its first ones. */
  readonly rotated: number;
  /** Added to the mean square in norms. */
  readonly epsilon: number;
}

/** Largest width believed, of the model or its feed-forward network. */
const MAX_WIDTH = 2 ** 24;

/** Longest context believed. */
const MAX_CONTEXT = 2 ** 28;

function whole(
  reader: ModelReader,
  name: string,
  [least, most]: readonly [number, number],
  fallback?: number,
): number {
  const value = reader.number(name, fallback);
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    reader.refuse(name, `is ${value}; ${least} to ${most} is allowed`);
  }
  return value;
}

/** Columns a head: keys and values alike. */
function readHeadSize(reader: ModelReader, width: number, heads: number): number {
  const share = width / heads;
  const size = reader.number('attention.key_length', share);
  if (!Number.isSafeInteger(size) || size < 2 || size > MAX_WIDTH || size % 2 !== 0) {
    reader.refuse(
      'attention.key_length',
      `is ${size} (a head's share of ${width}); an even number is wanted`,
    );
  }
  const values = reader.number('attention.value_length', size);
  if (values !== size) {
    reader.refuse('attention.value_length', `is ${values}; ${size}, as attention.key_length, is wanted`);
  }
  return size;
}

function readVocabulary({ file }: ModelReader): number {
  const rows = file.find('token_embd.weight')?.shape[1];
  if (rows === undefined) throw inputError(file.name, 'tensor token_embd.weight is missing');
  const tokens = getStrings(file.metadata, 'tokenizer.ggml.tokens', file.name)?.length ?? rows;
  if (tokens !== rows) {
    throw inputError(
      file.name,
      `token_embd.weight has ${rows} rows for ${tokens} tokens of tokenizer.ggml.tokens`,
    );
  }
  return rows;
}

/** @throws input error: a number is missing, impossible, or contradicts another. */
export function readSizes(reader: ModelReader): Sizes {
  const width = whole(reader, 'embedding_length', [1, MAX_WIDTH]);
  const heads = whole(reader, 'attention.head_count', [1, 65536]);
  const kvHeads = whole(reader, 'attention.head_count_kv', [1, heads], heads);
  if (heads % kvHeads !== 0) {
    reader.refuse('attention.head_count_kv', `is ${kvHeads}, which does not divide head_count ${heads}`);
  }
  const experts = reader.number('expert_count', 0);
  if (experts > 0) reader.refuse('expert_count', `is ${experts}; mixtures of experts cannot be run`);
  const headSize = readHeadSize(reader, width, heads);
  const rotated = whole(reader, 'rope.dimension_count', [1, headSize], headSize);
  if (rotated % 2 !== 0) reader.refuse('rope.dimension_count', `is ${rotated}, which is odd`);
  return {
    layers: whole(reader, 'block_count', [1, 512]),
    width,
    vocabulary: readVocabulary(reader),
    heads,
    kvHeads,
    headSize,
    contextLength: whole(reader, 'context_length', [1, MAX_CONTEXT]),
    window: whole(reader, 'attention.sliding_window', [0, MAX_CONTEXT], 0),
    feedForward: whole(reader, 'feed_forward_length', [1, MAX_WIDTH]),
    rotated,
    epsilon: reader.positive('attention.layer_norm_rms_epsilon'),
  };
}
