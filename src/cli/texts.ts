/** Texts that a model is measured on: plain text, chats, token ids; each file may have a weight. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { inputError, usageError } from '../core/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import { parseTokenIds, type TokenText } from '../imatrix/index.ts';
import { exists, fileError } from '../platform/index.ts';
import { chatTemplateOf, type Tokenizer, tokenizerOf } from '../text/index.ts';
import { conversationTokens, parseConversations } from './chats.ts';

/** JavaScript's strings end not far above this; in bytes. */
const LARGEST_TEXT = 2 ** 29 - 2 ** 20;

/** The kinds of files by their option. */
export interface TextFiles {
  readonly file: readonly string[];
  readonly chat: readonly string[];
  readonly tokens: readonly string[];
}

/** A file of an option's value: `a.txt`, or `a.txt=2` with a weight. */
export interface WeightedFile {
  readonly file: string;
  readonly weight: number;
}

/** @throws usage error: a weight that is not above 0. */
export async function parseWeighted(option: string, text: string): Promise<WeightedFile> {
  const match = /^(.+)=([^=/\\]*)$/s.exec(text);
  // A file whose own name ends like a weight is taken as it is.
  if (!match || (await exists(text))) return { file: text, weight: 1 };
  const weight = /^\d*\.?\d+(e[+-]?\d+)?$/i.test(match[2]) ? Number(match[2]) : 0;
  if (!(weight > 0 && weight < 1e9)) {
    throw usageError(`${option} ${text}: the weight ${JSON.stringify(match[2])} is no number above 0`);
  }
  return { file: match[1], weight };
}

/** Whether bytes are UTF-8; with `stream`, the last character may be unfinished. */
function isUtf8(bytes: Uint8Array, stream: boolean): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream });
    return true;
  } catch {
    return false;
  }
}

/** Offset of the first character that is not UTF-8, of bytes that are not. */
function firstBadByte(bytes: Uint8Array): number {
  let [good, bad] = [0, bytes.length];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (isUtf8(bytes.subarray(0, middle), true)) good = middle;
    else bad = middle;
  }
  while (!isUtf8(bytes.subarray(0, good), false)) good--;
  return good;
}

/**
 * A text file. @throws input error: missing, too large, or not UTF-8, which another encoding read as if it were would
 * turn into garbage that no one notices.
 */
export async function readTextFile(file: string): Promise<string> {
  const info = await stat(file).catch((error: unknown) => {
    throw fileError(file, error);
  });
  if (info.size > LARGEST_TEXT) {
    throw inputError(file, `has ${info.size} bytes; texts of up to ${LARGEST_TEXT} are read`, 'split it');
  }
  const bytes = await readFile(file).catch((error: unknown) => {
    throw fileError(file, error);
  });
  try {
    // A byte-order mark is part of the text, as llama.cpp reads it.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw inputError(
      `${file}, byte ${firstBadByte(bytes)}`,
      'is not UTF-8',
      'convert it first, for example with iconv -f latin1 -t utf-8',
    );
  }
}

/** What turns files into tokens; the tokenizer is made when the first file needs it. */
interface Reading {
  readonly model: GgufFile;
  readonly parseSpecial: boolean;
  tokenizer(): Tokenizer;
}

/** How each kind of file becomes tokens. */
const KINDS = {
  file: (reading: Reading, _file: string, text: string) =>
    reading.tokenizer().encode(text, { special: reading.parseSpecial, bos: true }),
  chat: ({ model, tokenizer }: Reading, file: string, text: string) =>
    conversationTokens(chatTemplateOf(model, tokenizer()), parseConversations(file, text)),
  tokens: (_reading: Reading, file: string, text: string) => parseTokenIds(file, text),
} as const satisfies Record<keyof TextFiles, (reading: Reading, file: string, text: string) => Int32Array>;

const OPTIONS = { file: '-f', chat: '--chat', tokens: '--tokens' } as const satisfies Record<
  keyof TextFiles,
  string
>;

/** All files of all kinds as tokens, one stream each. @throws input error: a file that cannot be read as its kind. */
export async function readTexts(
  model: GgufFile,
  files: TextFiles,
  parseSpecial: boolean,
): Promise<TokenText[]> {
  let made: Tokenizer | undefined;
  const tokenizer = () => {
    made ??= tokenizerOf(model);
    return made;
  };
  const texts: TokenText[] = [];
  for (const kind of ['file', 'chat', 'tokens'] as const) {
    for (const value of files[kind]) {
      const { file, weight } = await parseWeighted(OPTIONS[kind], value);
      const text = await readTextFile(file);
      if (text.trim() === '') throw inputError(file, 'is empty: there is nothing to measure');
      const tokens = KINDS[kind]({ model, parseSpecial, tokenizer }, file, text);
      texts.push({ name: path.basename(file), tokens, weight });
    }
  }
  return texts;
}

/** The token that each chunk begins with; none where the vocabulary wants none, or there is no vocabulary. */
export function bosOf(file: GgufFile): number | undefined {
  if (!file.metadata.has('tokenizer.ggml.tokens')) return undefined;
  const { addBos, bos } = tokenizerOf(file);
  return addBos ? bos : undefined;
}
