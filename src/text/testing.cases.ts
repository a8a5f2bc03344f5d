/** Small vocabularies for tests, as GGUF files in memory. */
import { memorySource } from '../core/index.ts';
import {
  bool,
  f32s,
  type GgufFile,
  type GgufValue,
  i32s,
  layoutGguf,
  readGguf,
  str,
  strings,
  u32,
} from '../gguf/index.ts';
import { BYTE_SYMBOLS } from './byte-symbols.ts';

/** Token types by their number in GGUF. */
const TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export type Entries = Readonly<Record<string, GgufValue | undefined>>;

/** A GGUF of metadata alone; undefined leaves a key out. */
export async function ggufOf(entries: Entries): Promise<GgufFile> {
  const metadata = new Map<string, GgufValue>();
  for (const [key, value] of Object.entries(entries)) if (value) metadata.set(key, value);
  return readGguf(memorySource(layoutGguf({ metadata, tensors: [] }).header, 'm.gguf'));
}

const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0');

export interface Extra {
  readonly text: string;
  readonly type?: keyof typeof TYPE;
  readonly score?: number;
}

/** `<unk>` 0, `<s>` 1, `</s>` 2, the byte tokens 3 to 258, then `extra` from 259 on. */
export function sentencePieceEntries(extra: readonly Extra[], changes: Entries = {}): Entries {
  const bytes = Array.from({ length: 256 }, (_, byte): Extra => ({ text: `<0x${hex(byte)}>`, type: 'byte' }));
  const tokens: Extra[] = [
    { text: '<unk>', type: 'unknown' },
    { text: '<s>', type: 'control' },
    { text: '</s>', type: 'control' },
    ...bytes,
    ...extra,
  ];
  return {
    'general.architecture': str('llama'),
    'tokenizer.ggml.model': str('llama'),
    'tokenizer.ggml.tokens': strings(tokens.map(({ text }) => text)),
    'tokenizer.ggml.scores': f32s(tokens.map(({ score = 0 }) => score)),
    'tokenizer.ggml.token_type': i32s(tokens.map(({ type = 'normal' }) => TYPE[type])),
    ...changes,
  };
}

/** The bytes 0 to 255 by their symbols, what the merges make from 256 on, then `extra`. */
export function byteLevelEntries(
  merges: readonly string[],
  extra: readonly Extra[] = [],
  changes: Entries = {},
): Entries {
  const made = merges.map((merge): Extra => ({ text: merge.replace(' ', '') }));
  const tokens: Extra[] = [...BYTE_SYMBOLS.map((text) => ({ text })), ...made, ...extra];
  return {
    'general.architecture': str('llama'),
    'tokenizer.ggml.model': str('gpt2'),
    'tokenizer.ggml.pre': str('gpt-2'),
    'tokenizer.ggml.tokens': strings(tokens.map(({ text }) => text)),
    'tokenizer.ggml.token_type': i32s(tokens.map(({ type = 'normal' }) => TYPE[type])),
    'tokenizer.ggml.merges': strings(merges),
    'tokenizer.ggml.add_bos_token': bool(false),
    'tokenizer.ggml.bos_token_id': u32(0),
    'tokenizer.ggml.eos_token_id': u32(0),
    ...changes,
  };
}
