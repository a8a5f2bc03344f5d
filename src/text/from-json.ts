/**
 * A tokenizer out of Hugging Face's tokenizer.json: BPE, byte-level (Llama 3, Qwen, SmolLM2) or with byte tokens
 * (Phi-3, Llama 2, Mistral). tokenizer_config.json, where it is at hand, says which tokens begin and end a text.
 */
import { inputError } from '../core/index.ts';
import { quoted } from '../gguf/index.ts';
import { asRecord } from '../hf/index.ts';
import type { AddedToken } from './added.ts';
import { symbolBytes } from './byte-symbols.ts';
import { byteOf } from './byte-tokens.ts';
import { Joints } from './joints.ts';
import { cutterOf, type JsonRecord, normalizerOf, prependScheme } from './json-parts.ts';
import { ByteLevelEncoder, CharacterEncoder, MergeList } from './ranked.ts';
import type { Stages } from './stages.ts';
import { VocabularyTokenizer } from './tokenizer.ts';
import type { Tokenizer } from './types.ts';
import { type TokenKind, Vocabulary } from './vocabulary.ts';

/** Ids are below this; the largest vocabularies have some 300,000 tokens. */
const MAX_TOKENS = 1 << 22;

export interface JsonOptions {
  /** How messages call the file. Default: tokenizer.json. */
  readonly place?: string;
  /** Parsed tokenizer_config.json. */
  readonly config?: unknown;
}

interface JsonToken extends AddedToken {
  readonly special: boolean;
  readonly normalized: boolean;
}

const isRecord = (value: unknown): value is JsonRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkId(id: unknown, text: string, place: string): number {
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < MAX_TOKENS) return id;
  throw inputError(
    place,
    `token ${quoted(text)} has the id ${JSON.stringify(id)}; 0 to ${MAX_TOKENS - 1} is allowed`,
  );
}

/** An added token that the model has already keeps the id that it has there, whatever the list says. */
function addedTokens(json: JsonRecord, model: JsonRecord, place: string): JsonToken[] {
  const trained = model['vocab'] as JsonRecord;
  const listed = json['added_tokens'] ?? [];
  if (!Array.isArray(listed)) throw inputError(place, 'added_tokens is not a list');
  return listed.map((value, i) => {
    const token = asRecord(value, `${place}: added_tokens, element ${i}`);
    const content = token['content'];
    if (typeof content !== 'string') throw inputError(place, `added_tokens, element ${i}, has no content`);
    return {
      id: checkId(Object.hasOwn(trained, content) ? trained[content] : token['id'], content, place),
      text: content,
      special: token['special'] === true,
      normalized: token['normalized'] === true,
      lstrip: token['lstrip'] === true,
      rstrip: token['rstrip'] === true,
      singleWord: token['single_word'] === true,
    };
  });
}

function modelOf(json: JsonRecord, place: string): JsonRecord {
  const model = asRecord(json['model'], `${place}: model`);
  // The oldest files do not name the type.
  if ((model['type'] ?? 'BPE') !== 'BPE' || !isRecord(model['vocab']) || !Array.isArray(model['merges'])) {
    throw inputError(
      place,
      `its model is of type ${JSON.stringify(model['type'])}, or has no vocab and merges; BPE is what can be read`,
    );
  }
  for (const affix of ['continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model[affix]) throw inputError(place, `its model has a ${affix}, which is not known here`);
  }
  return model;
}

/** Merges stand as pairs or as texts with a space between. */
function mergesOf(model: JsonRecord, place: string): (readonly [string, string])[] {
  return (model['merges'] as readonly unknown[]).map((merge, i) => {
    const at = typeof merge === 'string' ? merge.indexOf(' ', 1) : -1;
    if (typeof merge === 'string' && at > 0) return [merge.slice(0, at), merge.slice(at + 1)] as const;
    if (Array.isArray(merge) && merge.length === 2) {
      const [left, right] = merge as unknown[];
      if (typeof left === 'string' && typeof right === 'string') return [left, right] as const;
    }
    throw inputError(place, `merges: element ${i} is no pair`);
  });
}

/** Text of a token in tokenizer_config.json: a string, or an object with `content`. */
function configToken(config: JsonRecord, name: string): string | undefined {
  const value = config[name];
  const content = isRecord(value) ? value['content'] : value;
  return typeof content === 'string' ? content : undefined;
}

interface Around {
  readonly before: string | undefined;
  readonly behind: string | undefined;
}

/** Special tokens that the template of the post-processor puts around a text. */
function templateTokens(json: JsonRecord): Around {
  const processor = isRecord(json['post_processor']) ? json['post_processor'] : {};
  const nested = processor['processors'];
  const steps = (Array.isArray(nested) ? nested : [processor]).filter(isRecord);
  const single = steps.find(({ type }) => type === 'TemplateProcessing')?.['single'];
  const at = (place: number): string | undefined => {
    const step: unknown = Array.isArray(single) ? single.at(place) : undefined;
    const special = isRecord(step) ? step['SpecialToken'] : undefined;
    const id = isRecord(special) ? special['id'] : undefined;
    return typeof id === 'string' ? id : undefined;
  };
  return { before: at(0), behind: at(-1) };
}

/** Whether `decode` takes away the space that `encode` put in front. */
function stripsSpace(decoder: unknown): boolean {
  if (!isRecord(decoder)) return false;
  const nested = decoder['decoders'];
  if (decoder['type'] === 'Sequence' && Array.isArray(nested)) return nested.some(stripsSpace);
  if (decoder['type'] === 'Metaspace') return prependScheme(decoder) !== 'never';
  return decoder['type'] === 'Strip' && decoder['content'] === ' ' && Number(decoder['start']) > 0;
}

function vocabularyOf(
  model: JsonRecord,
  added: readonly JsonToken[],
  special: Record<'bos' | 'eos' | 'pad' | 'unknown', string | undefined>,
  place: string,
): Vocabulary {
  const listed = Object.entries(model['vocab'] as JsonRecord).map(
    ([text, id]) => [text, checkId(id, text, place)] as const,
  );
  const size = [...listed.map(([, id]) => id), ...added.map(({ id }) => id)].reduce(
    (most, id) => Math.max(most, id + 1),
    0,
  );
  const texts: (string | undefined)[] = Array.from({ length: size }, () => undefined);
  const kinds: TokenKind[] = Array.from({ length: size }, () => 'unused');
  const ids = new Map<string, number>();
  const put = (text: string, id: number, kind: TokenKind): void => {
    texts[id] = text;
    kinds[id] = kind;
    ids.set(text, id);
  };
  for (const [text, id] of listed) {
    if (texts[id] !== undefined) throw inputError(place, `two tokens have the id ${id}`);
    const byte = model['byte_fallback'] === true && byteOf(text) !== undefined;
    put(text, id, text === special.unknown ? 'unknown' : byte ? 'byte' : 'normal');
  }
  for (const { text, id, special } of added) put(text, id, special ? 'control' : 'user-defined');
  const idOf = (text: string | undefined) => (text === undefined ? undefined : ids.get(text));
  return new Vocabulary({
    texts,
    kinds,
    special: {
      bos: idOf(special.bos),
      eos: idOf(special.eos),
      pad: idOf(special.pad),
      unknown: idOf(special.unknown),
    },
  });
}

const SPACE_SYMBOL = '▁';
const utf8 = new TextEncoder();

function stagesOf(json: JsonRecord, model: JsonRecord, vocabulary: Vocabulary, place: string): Stages {
  const normalize = normalizerOf(json['normalizer'], place);
  const cut = cutterOf(json['pre_tokenizer'], place);
  const merges = new MergeList(vocabulary, mergesOf(model, place));
  const wholeWords = model['ignore_merges'] === true;
  if (JSON.stringify(json['pre_tokenizer'] ?? null).includes('"ByteLevel"')) {
    return {
      normalize,
      cut: (text, first) => cut([text], first),
      words: new ByteLevelEncoder(vocabulary, merges, wholeWords),
      bytes: symbolBytes,
      prefixesSpace: stripsSpace(json['decoder']),
    };
  }
  const joints = wholeWords ? undefined : new Joints(vocabulary.plainTexts);
  return {
    normalize,
    cut: (text, first) => {
      const pieces = cut([text], first);
      return joints ? pieces.flatMap((piece) => joints.cut(piece)) : pieces;
    },
    words: new CharacterEncoder(vocabulary, merges, wholeWords),
    bytes: (text) => utf8.encode(text.replaceAll(SPACE_SYMBOL, ' ')),
    prefixesSpace: stripsSpace(json['decoder']),
  };
}

/**
 * The tokenizer of a parsed tokenizer.json.
 * @throws input error: not BPE, steps or expressions that are not known here, malformed lists.
 */
export function tokenizerFromJson(value: unknown, options: JsonOptions = {}): Tokenizer {
  const { place = 'tokenizer.json' } = options;
  const json = asRecord(value, place);
  const config = isRecord(options.config) ? options.config : {};
  const model = modelOf(json, place);
  const added = addedTokens(json, model, place);
  const { before, behind } = templateTokens(json);
  const unknown = model['unk_token'];
  const special = {
    bos: configToken(config, 'bos_token') ?? before,
    eos: configToken(config, 'eos_token') ?? behind,
    pad: configToken(config, 'pad_token'),
    unknown: typeof unknown === 'string' ? unknown : undefined,
  };
  const vocabulary = vocabularyOf(model, added, special, place);
  const says = (name: string, otherwise: boolean): boolean => {
    const said = config[name];
    return typeof said === 'boolean' ? said : otherwise;
  };
  return new VocabularyTokenizer({
    vocabulary,
    stages: stagesOf(json, model, vocabulary, place),
    added: added.filter(({ normalized }) => !normalized),
    addedNormalized: normalizedTokens(json, added, place),
    spaces: 'unicode',
    addBos: says('add_bos_token', before !== undefined && before === special.bos),
    addEos: says('add_eos_token', behind !== undefined && behind === special.eos),
  });
}

/** Tokens that are looked for in normalized text, themselves normalized. */
function normalizedTokens(json: JsonRecord, added: readonly JsonToken[], place: string): AddedToken[] {
  const normalize = normalizerOf(json['normalizer'], place);
  return added
    .filter(({ normalized }) => normalized)
    .map((token) => ({ ...token, text: normalize(token.text) }));
}
