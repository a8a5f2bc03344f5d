/** The tokenizer of a checkpoint as GGUF metadata, from tokenizer.json and the configs beside it. */
import { inputError } from '../../core/index.ts';
import { bool, f32s, i32s, str, strings } from '../../gguf/index.ts';
import type { Checkpoint } from '../../hf/index.ts';
import type { Entry } from '../architecture.ts';
import { isRecord, type JsonRecord } from '../config.ts';
import { byteLevelVocabulary } from './byte-level.ts';
import { detectPre } from './pre.ts';
import { isSentencePiece, sentencePieceVocabulary, trainedVocabulary } from './sentencepiece.ts';
import { chatTemplate, type SpecialSources, specialEntries } from './special.ts';
import { type AddedToken, placeAdded, type Vocabulary } from './vocabulary.ts';

export interface TokenizerOptions {
  /** tokenizer.ggml.pre instead of the detected one. */
  readonly pre?: string | undefined;
  readonly warn: (message: string) => void;
}

export interface TokenizerMetadata {
  readonly kind: 'sentencepiece' | 'byte-level';
  readonly tokens: ReadonlySet<string>;
  readonly entries: readonly Entry[];
}

/** A JSON file that may be absent; `{}` then. @throws input error: not an object. */
async function optionalRecord(checkpoint: Checkpoint, file: string): Promise<JsonRecord> {
  const value = await checkpoint.json(file);
  if (value === undefined) return {};
  if (!isRecord(value)) throw inputError(`${checkpoint.name}: ${file}`, 'is not a JSON object');
  return value;
}

function addedToken(id: unknown, token: unknown, place: string): AddedToken {
  const content = isRecord(token) ? token['content'] : undefined;
  const number = typeof id === 'string' && /^\d{1,9}$/.test(id) ? Number(id) : id;
  if (!isRecord(token) || typeof content !== 'string') {
    throw inputError(place, `an added token has no content: ${JSON.stringify(token)?.slice(0, 60)}`);
  }
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0) {
    throw inputError(place, `added token ${JSON.stringify(content)} has the id ${JSON.stringify(id)}`);
  }
  return { id: number, content, special: token['special'] === true };
}

/** Added tokens of all files that list them; a later file's word counts. */
async function addedTokens(
  checkpoint: Checkpoint,
  tokenizer: JsonRecord,
  tokenizerConfig: JsonRecord,
): Promise<AddedToken[]> {
  const byId = new Map<number, AddedToken>();
  const add = (token: AddedToken) => byId.set(token.id, token);
  for (const [content, id] of Object.entries(await optionalRecord(checkpoint, 'added_tokens.json'))) {
    add(addedToken(id, { content }, `${checkpoint.name}: added_tokens.json`));
  }
  const decoder = tokenizerConfig['added_tokens_decoder'];
  for (const [id, token] of Object.entries(isRecord(decoder) ? decoder : {})) {
    add(addedToken(id, token, `${checkpoint.name}: tokenizer_config.json`));
  }
  const listed = tokenizer['added_tokens'];
  for (const token of Array.isArray(listed) ? listed : []) {
    add(addedToken(isRecord(token) ? token['id'] : undefined, token, `${checkpoint.name}: tokenizer.json`));
  }
  return [...byId.values()];
}

/** Whether tokenizer.json puts a space before a text; undefined where nothing tells. */
function prependsSpace(tokenizer: JsonRecord, tokenizerConfig: JsonRecord): boolean | undefined {
  const said = tokenizerConfig['add_prefix_space'];
  if (typeof said === 'boolean') return said;
  const split = tokenizer['pre_tokenizer'];
  const scheme = isRecord(split) && split['type'] === 'Metaspace' ? split['prepend_scheme'] : undefined;
  return scheme === 'never' ? false : undefined;
}

function vocabularyEntries({ tokens, scores, types }: Vocabulary, withScores: boolean): Entry[] {
  return [
    ['tokenizer.ggml.tokens', strings(tokens)],
    ...(withScores ? [['tokenizer.ggml.scores', f32s(scores)] as const] : []),
    ['tokenizer.ggml.token_type', i32s(types)],
  ];
}

/**
 * The `tokenizer.*` entries of a checkpoint, in the order of llama.cpp's converter.
 * @param size tokens of the model (config's vocab_size); missing ids become `[PAD{id}]`.
 * @throws input error: no tokenizer.json, a kind of tokenizer that GGUF has no word for, malformed files.
 */
export async function tokenizerMetadata(
  checkpoint: Checkpoint,
  size: number,
  options: TokenizerOptions,
): Promise<TokenizerMetadata> {
  const tokenizer = await optionalRecord(checkpoint, 'tokenizer.json');
  const tokenizerConfig = await optionalRecord(checkpoint, 'tokenizer_config.json');
  const added = await addedTokens(checkpoint, tokenizer, tokenizerConfig);
  const sources: SpecialSources = {
    tokenizer,
    tokenizerConfig,
    config: checkpoint.config,
    generationConfig: await optionalRecord(checkpoint, 'generation_config.json'),
    added,
    size,
  };
  const { kind, vocabulary, entries } = await readVocabulary(checkpoint, sources, options);
  const prefix = prependsSpace(tokenizer, tokenizerConfig);
  return {
    kind,
    tokens: new Set(vocabulary.tokens),
    entries: [
      ...(prefix === undefined ? [] : [['tokenizer.ggml.add_space_prefix', bool(prefix)] as const]),
      ...entries,
      ...specialEntries(sources, kind === 'byte-level'),
      ...chatTemplate(tokenizerConfig, await checkpoint.text('chat_template.jinja')),
    ],
  };
}

interface Filled {
  readonly kind: TokenizerMetadata['kind'];
  readonly vocabulary: Vocabulary;
  readonly entries: readonly Entry[];
}

/**
 * tokenizer.json decides what kind it is. Of a SentencePiece vocabulary tokenizer.model is read where it is there:
 * it has the scores. (A file of that name beside a byte-level tokenizer.json is something else.)
 */
async function readVocabulary(
  checkpoint: Checkpoint,
  sources: SpecialSources,
  options: TokenizerOptions,
): Promise<Filled> {
  const place = `${checkpoint.name}: tokenizer.json`;
  const model = sources.tokenizer['model'];
  if (isRecord(model) && model['type'] !== 'BPE') {
    throw inputError(
      place,
      `its model is of type ${JSON.stringify(model['type'])}; BPE is what can be converted`,
    );
  }
  if (isRecord(model) && !isSentencePiece(model)) return byteLevelEntries(model, sources, place, options);
  const trained = await checkpoint.bytes('tokenizer.model');
  if (trained) {
    const at = `${checkpoint.name}: tokenizer.model`;
    return sentencePieceEntries(trainedVocabulary(trained, sources.size, at, options.warn), sources, options);
  }
  if (isRecord(model)) {
    const ids = new Set(sources.added.map(({ id }) => id));
    return sentencePieceEntries(sentencePieceVocabulary(model, sources.size, ids, place), sources, options);
  }
  throw inputError(
    checkpoint.name,
    'has neither a tokenizer.json with a "model" nor a tokenizer.model',
    'save the tokenizer with transformers (save_pretrained) to get one',
  );
}

function sentencePieceEntries(
  vocabulary: Vocabulary,
  { added }: SpecialSources,
  options: TokenizerOptions,
): Filled {
  placeAdded(vocabulary, added, options.warn);
  const entries: Entry[] = [
    ['tokenizer.ggml.model', str('llama')],
    ['tokenizer.ggml.pre', str(options.pre ?? 'default')],
    ...vocabularyEntries(vocabulary, true),
  ];
  return { kind: 'sentencepiece', vocabulary, entries };
}

function byteLevelEntries(
  model: JsonRecord,
  { tokenizer, added, size }: SpecialSources,
  place: string,
  options: TokenizerOptions,
): Filled {
  const pre = options.pre ?? detectPre(tokenizer, model, place);
  const vocabulary = byteLevelVocabulary(model, size, place);
  placeAdded(vocabulary, added, options.warn);
  const entries: Entry[] = [
    ['tokenizer.ggml.model', str('gpt2')],
    ['tokenizer.ggml.pre', str(pre)],
    ...vocabularyEntries(vocabulary, false),
    ['tokenizer.ggml.merges', strings(vocabulary.merges)],
  ];
  return { kind: 'byte-level', vocabulary, entries };
}
