/** Which tokens begin, end and pad a text, what is added around it, and the chat template. */
import { bool, type GgufValue, str, strings, u32 } from '../../gguf/index.ts';
import type { Entry } from '../architecture.ts';
import { isRecord, type JsonRecord } from '../config.ts';
import type { AddedToken } from './vocabulary.ts';

/** Kinds of special tokens in files of Hugging Face -> the key's part in GGUF, in llama.cpp's order. */
const KINDS = {
  bos: 'bos',
  eos: 'eos',
  unk: 'unknown',
  // The misspelling is the format's.
  sep: 'seperator',
  pad: 'padding',
  cls: 'cls',
  mask: 'mask',
} as const;

type Kind = keyof typeof KINDS;
const ALL_KINDS = Object.keys(KINDS) as Kind[];

/** Kinds that readers add by themselves when told to. */
const ADDABLE = ['bos', 'eos', 'sep'] as const satisfies readonly Kind[];

export interface SpecialSources {
  readonly tokenizer: JsonRecord;
  /** tokenizer_config.json. */
  readonly tokenizerConfig: JsonRecord;
  /** config.json. */
  readonly config: JsonRecord;
  /** generation_config.json. */
  readonly generationConfig: JsonRecord;
  readonly added: readonly AddedToken[];
  /** Tokens of the vocabulary. */
  readonly size: number;
}

/** The text of `bos_token` and the like: a string, or an object with `content`. */
function tokenText(value: unknown): string | undefined {
  const text = isRecord(value) ? value['content'] : value;
  return typeof text === 'string' ? text : undefined;
}

/** A token id of a config: a number, or the first of a list. */
function tokenId(value: unknown, size: number): number | undefined {
  const id: unknown = Array.isArray(value) ? value[0] : value;
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < size ? id : undefined;
}

/** Ids by kind: tokenizer_config first, then config, then generation_config fill what is missing. */
function specialIds(sources: SpecialSources): Map<Kind, number> {
  const ids = new Map<Kind, number>();
  for (const kind of ALL_KINDS) {
    const text = tokenText(sources.tokenizerConfig[`${kind}_token`]);
    const token = text === undefined ? undefined : sources.added.find(({ content }) => content === text);
    if (token && token.id < sources.size) ids.set(kind, token.id);
  }
  for (const config of [sources.config, sources.generationConfig]) {
    for (const kind of ALL_KINDS) {
      const id = tokenId(config[`${kind}_token_id`], sources.size);
      if (id !== undefined && !ids.has(kind)) ids.set(kind, id);
    }
  }
  return ids;
}

/** The special token that stands at `at` of a template, e.g. `<s>`. */
function templateToken(template: readonly unknown[], at: number): string | undefined {
  const entry = template.at(at);
  const special = isRecord(entry) ? entry['SpecialToken'] : undefined;
  return isRecord(special) ? tokenText(special['id']) : undefined;
}

/** What tokenizer.json's post-processor puts around a text: which kinds it adds, where it says so. */
function addedByTemplate(sources: SpecialSources): Map<Kind, boolean> {
  const adds = new Map<Kind, boolean>();
  const processor = sources.tokenizer['post_processor'];
  if (!isRecord(processor)) return adds;
  const nested = processor['processors'];
  for (const step of Array.isArray(nested) ? nested : [processor]) {
    if (!isRecord(step) || step['type'] !== 'TemplateProcessing') continue;
    const single = step['single'];
    if (!Array.isArray(single) || single.length < 2) continue;
    const first = templateToken(single, 0);
    const last = templateToken(single, -1);
    const { tokenizerConfig } = sources;
    if (first !== undefined) adds.set('bos', first === (tokenText(tokenizerConfig['bos_token']) ?? first));
    if (last !== undefined) adds.set('eos', last === (tokenText(tokenizerConfig['eos_token']) ?? last));
  }
  return adds;
}

/**
 * Whether readers add bos, eos, sep: tokenizer_config's word, else the template's. bos is always said, because
 * readers of byte-level vocabularies otherwise guess it from the pre-tokenizer.
 */
function addedAround(sources: SpecialSources, byteLevel: boolean): Map<Kind, boolean> {
  const adds = addedByTemplate(sources);
  for (const kind of ADDABLE) {
    const said = sources.tokenizerConfig[`add_${kind}_token`];
    if (typeof said === 'boolean') adds.set(kind, said);
  }
  if (byteLevel && !adds.has('bos')) adds.set('bos', false);
  return adds;
}

/** One template, or several with names (`default`, `tool_use` …). */
function namedTemplates(templates: readonly unknown[]): Entry[] {
  const named = new Map<string, string>();
  for (const choice of templates) {
    if (!isRecord(choice)) continue;
    const { name, template } = choice;
    if (typeof name === 'string' && typeof template === 'string') {
      named.set(name.replaceAll(/[^A-Za-z0-9]/g, '_'), template);
    }
  }
  const fallback = named.get('default');
  named.delete('default');
  const entries: Entry[] = [...named].map(([name, text]) => [`tokenizer.chat_template.${name}`, str(text)]);
  if (named.size > 0) entries.push(['tokenizer.chat_templates', strings([...named.keys()])]);
  if (fallback !== undefined) entries.push(['tokenizer.chat_template', str(fallback)]);
  return entries;
}

/** @param file text of chat_template.jinja; tokenizer_config's own template goes before it. */
export function chatTemplate(tokenizerConfig: JsonRecord, file: string | undefined): Entry[] {
  const template = tokenizerConfig['chat_template'] ?? file;
  if (Array.isArray(template)) return namedTemplates(template);
  return typeof template === 'string' ? [['tokenizer.chat_template', str(template)]] : [];
}

/** The metadata of special tokens, without the chat template. */
export function specialEntries(sources: SpecialSources, byteLevel: boolean): Entry[] {
  const ids = [...specialIds(sources)].map(([kind, id]): [string, GgufValue] => [
    `tokenizer.ggml.${KINDS[kind]}_token_id`,
    u32(id),
  ]);
  const adds = [...addedAround(sources, byteLevel)].map(([kind, add]): [string, GgufValue] => [
    `tokenizer.ggml.add_${kind}_token`,
    bool(add),
  ]);
  return [...ids, ...adds];
}
