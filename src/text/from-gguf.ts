/** A tokenizer out of the metadata of a GGUF: `tokenizer.ggml.*`. */
import { inputError } from '../core/index.ts';
import {
  type GgufFile,
  getBoolean,
  getNumber,
  getNumbers,
  getString,
  getStrings,
  needString,
  needStrings,
  quoted,
} from '../gguf/index.ts';
import type { AddedToken } from './added.ts';
import { symbolBytes } from './byte-symbols.ts';
import { Joints } from './joints.ts';
import { PRE_TOKENIZERS, type PreTokenizer, patternsOf } from './pre-tokenizers.ts';
import { ByteLevelEncoder, MergeList } from './ranked.ts';
import { ScoredEncoder } from './scored.ts';
import { splitBy } from './split.ts';
import type { Stages } from './stages.ts';
import { VocabularyTokenizer } from './tokenizer.ts';
import type { Tokenizer } from './types.ts';
import { type SpecialIds, type TokenKind, Vocabulary } from './vocabulary.ts';

/** Token types by their number in the file; others are read as unused. */
const KINDS: readonly (TokenKind | undefined)[] = [
  undefined,
  'normal',
  'unknown',
  'control',
  'user-defined',
  'unused',
  'byte',
];

const key = (name: string): string => `tokenizer.ggml.${name}`;

/** What a kind of vocabulary takes for granted, and how its stages are made. */
interface Model {
  /** What special ids are where the file is silent. */
  readonly special: SpecialIds;
  defaults(file: GgufFile): { addBos: boolean };
  stages(file: GgufFile, vocabulary: Vocabulary): Stages;
}

/** By `tokenizer.ggml.model`. */
const MODELS = {
  llama: {
    special: { bos: 1, eos: 2, unknown: 0 },
    defaults: () => ({ addBos: true }),
    stages: sentencePieceStages,
  },
  gpt2: {
    special: { bos: 11, eos: 11 },
    defaults: (file) => ({ addBos: preTokenizerOf(file).addBos }),
    stages: byteLevelStages,
  },
} as const satisfies Record<string, Model>;

const SPACE_SYMBOL = '▁';
const utf8 = new TextEncoder();

function sentencePieceStages(file: GgufFile, vocabulary: Vocabulary): Stages {
  const prefix = getBoolean(file.metadata, key('add_space_prefix'), file.name) ?? true;
  const scores = getNumbers(file.metadata, key('scores'), file.name);
  if (!scores) throw inputError(file.name, `${key('scores')} is missing`);
  checkLength(file, 'scores', scores.length, vocabulary.size);
  const bad = scores.findIndex(Number.isNaN);
  if (bad >= 0) throw inputError(file.name, `${key('scores')}: the score of token ${bad} is no number`);
  const joints = new Joints(vocabulary.plainTexts);
  return {
    normalize: (text) => (prefix ? SPACE_SYMBOL : '') + text.replaceAll(' ', SPACE_SYMBOL),
    cut: (text) => joints.cut(text),
    words: new ScoredEncoder(vocabulary, scores),
    bytes: (text) => utf8.encode(text.replaceAll(SPACE_SYMBOL, ' ')),
    prefixesSpace: prefix,
  };
}

function byteLevelStages(file: GgufFile, vocabulary: Vocabulary): Stages {
  const pre = preTokenizerOf(file);
  const patterns = patternsOf(pre);
  const merges = new MergeList(vocabulary, mergesOf(file));
  return {
    normalize: (text) => text,
    cut: (text) => splitBy(text, patterns),
    words: new ByteLevelEncoder(vocabulary, merges, pre.wholeWords),
    bytes: symbolBytes,
    prefixesSpace: false,
  };
}

function preTokenizerOf(file: GgufFile): PreTokenizer {
  const name = getString(file.metadata, key('pre'), file.name) ?? 'default';
  const known = PRE_TOKENIZERS.get(name);
  if (known) return known;
  throw inputError(
    file.name,
    `${key('pre')} is ${quoted(name)}, a way of splitting text that is not known here`,
    `known are ${[...PRE_TOKENIZERS.keys()].join(', ')}`,
  );
}

/** Merges are two texts with a space between; the first may begin with one. */
function mergesOf(file: GgufFile): (readonly [string, string])[] {
  const merges = getStrings(file.metadata, key('merges'), file.name);
  if (!merges) throw inputError(file.name, `${key('merges')} is missing`);
  return merges.map((merge, i) => {
    const at = merge.indexOf(' ', 1);
    if (at < 0) throw inputError(file.name, `${key('merges')}: element ${i}, ${quoted(merge)}, is no pair`);
    return [merge.slice(0, at), merge.slice(at + 1)];
  });
}

function checkLength(file: GgufFile, name: string, found: number, tokens: number): void {
  if (found === tokens) return;
  throw inputError(file.name, `${key(name)} has ${found} elements for ${tokens} tokens`);
}

function kindsOf(file: GgufFile, tokens: number): TokenKind[] {
  const types = getNumbers(file.metadata, key('token_type'), file.name);
  if (!types) return Array.from({ length: tokens }, () => 'normal');
  checkLength(file, 'token_type', types.length, tokens);
  return types.map((type) => KINDS[type] ?? 'unused');
}

/** A special id that the file names; ids out of range (some write -1 or 2^32 - 1 for none) count as not named. */
function specialId(file: GgufFile, name: string, tokens: number, otherwise?: number): number | undefined {
  const inside = (id: number | undefined) =>
    id !== undefined && Number.isInteger(id) && id >= 0 && id < tokens;
  const id = getNumber(file.metadata, key(`${name}_token_id`), file.name);
  return [id, otherwise].find(inside);
}

/** Tokens that only the Phi-3 vocabulary has. */
const PHI3_TEXTS = ['<|placeholder6|>', '<|assistant|>', '<|end|>'];
const PHI3_UNSTRIPPED: ReadonlySet<string> = new Set(['<unk>', '<s>', '<|endoftext|>']);

/**
 * Whether white space behind special tokens belongs to them. GGUF has no word for it, and it holds for the Phi-3
 * family alone. llama.cpp goes by `general.name`, which misses the models whose name is written otherwise
 * ("Phi 3.5 mini"); the vocabulary itself is surer, and the name is a second sign.
 */
function stripsBehind(file: GgufFile, vocabulary: Vocabulary): boolean {
  const name = getString(file.metadata, 'general.name', file.name) ?? '';
  return /phi-?3/i.test(name) || PHI3_TEXTS.every((text) => vocabulary.idOf(text) !== undefined);
}

function addedTokens(file: GgufFile, vocabulary: Vocabulary): AddedToken[] {
  const strips = stripsBehind(file, vocabulary);
  const added: AddedToken[] = [];
  vocabulary.texts.forEach((text, id) => {
    const kind = vocabulary.kinds[id];
    if (text === undefined || (kind !== 'control' && kind !== 'user-defined' && kind !== 'unknown')) return;
    added.push({ id, text, rstrip: strips && !PHI3_UNSTRIPPED.has(text) });
  });
  return added;
}

function modelOf(file: GgufFile): Model {
  const name = needString(file.metadata, key('model'), file.name);
  const model = Object.hasOwn(MODELS, name) ? MODELS[name as keyof typeof MODELS] : undefined;
  if (model) return model;
  throw inputError(
    file.name,
    `${key('model')} is ${quoted(name)}, a kind of vocabulary that is not known here`,
    `known are ${Object.keys(MODELS).join(', ')}`,
  );
}

/**
 * The tokenizer of a GGUF; a file with nothing but a vocabulary will do.
 * @throws input error: no vocabulary, one of an unknown kind or with an unknown way of splitting, malformed lists.
 */
export function tokenizerOf(file: GgufFile): Tokenizer {
  const model = modelOf(file);
  const texts = needStrings(file.metadata, key('tokens'), file.name);
  const id = (name: string, otherwise?: number) => specialId(file, name, texts.length, otherwise);
  const eom = id('eom');
  const vocabulary = new Vocabulary({
    texts,
    kinds: kindsOf(file, texts.length),
    special: {
      bos: id('bos', model.special.bos),
      eos: id('eos', model.special.eos),
      eot: id('eot'),
      pad: id('padding'),
      unknown: id('unknown', model.special.unknown),
    },
    endIds: eom === undefined ? [] : [eom],
  });
  return new VocabularyTokenizer({
    vocabulary,
    stages: model.stages(file, vocabulary),
    added: addedTokens(file, vocabulary),
    spaces: 'ascii',
    addBos: getBoolean(file.metadata, key('add_bos_token'), file.name) ?? model.defaults(file).addBos,
    addEos: getBoolean(file.metadata, key('add_eos_token'), file.name) ?? false,
  });
}
