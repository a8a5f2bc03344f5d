/** Files that are attached: which are taken, and the text of them. */
import { textOfHtml } from './text-of-html.ts';

export interface AttachedFile {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  /** Bytes of the file as it was. */
  readonly bytes: number;
}

/** Bytes of one file, files of a conversation, and characters of all its texts at most. */
export const LIMITS = { fileBytes: 4 * 2 ** 20, files: 20, characters: 8 * 2 ** 20 } as const;

/** Endings of the names of files that are read as text; a file of a type `text/…` is, too. */
const ENDINGS = [
  ...[
    'txt',
    'md',
    'markdown',
    'rst',
    'adoc',
    'tex',
    'log',
    'csv',
    'tsv',
    'json',
    'jsonl',
    'yaml',
    'yml',
    'toml',
  ],
  ...['html', 'htm', 'xml', 'ini', 'cfg', 'conf', 'sql', 'srt', 'vtt', 'org'],
  ...[
    'ts',
    'tsx',
    'js',
    'jsx',
    'mjs',
    'cjs',
    'py',
    'rb',
    'go',
    'rs',
    'c',
    'h',
    'cc',
    'cpp',
    'hpp',
    'cs',
    'java',
  ],
  ...[
    'kt',
    'swift',
    'php',
    'pl',
    'lua',
    'r',
    'jl',
    'scala',
    'sh',
    'bash',
    'ps1',
    'css',
    'scss',
    'vue',
    'svelte',
  ],
] as const;

/** For the dialog that picks files. */
export const ACCEPT = ['text/*', ...ENDINGS.map((ending) => `.${ending}`)].join(',');

const endingOf = (name: string): string => /\.([^./]+)$/.exec(name.toLowerCase())?.[1] ?? '';

/** As much of a `File` as is used. */
export interface Readable {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** No text has it: a file with it is something else. */
const NUL = '\0';

/**
 * The text of a file.
 * @throws Error: one sentence on why it is not taken.
 */
export async function readText(file: Readable): Promise<string> {
  const ending = endingOf(file.name);
  const known = file.type.startsWith('text/') || (ENDINGS as readonly string[]).includes(ending);
  if (!known && ending !== '') {
    throw new Error(`${file.name} is not taken: text files are (txt, md, csv, json, html, code).`);
  }
  if (file.size > LIMITS.fileBytes) {
    const most = LIMITS.fileBytes / 2 ** 20;
    throw new Error(
      `${file.name} has ${(file.size / 2 ** 20).toFixed(1)} MiB; ${most} MiB are taken at most.`,
    );
  }
  const text = decoded(new Uint8Array(await file.arrayBuffer()));
  if (text.includes(NUL)) throw new Error(`${file.name} is no text: it holds bytes that no text has.`);
  const plain = ending === 'html' || ending === 'htm' ? textOfHtml(text) : text.replace(/\r\n?/g, '\n');
  if (plain.trim() === '') throw new Error(`${file.name} is empty.`);
  return plain;
}

/** By its mark of byte order, else UTF-8, else, where that is wrong, Windows' Latin. */
function decoded(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/**
 * Why a file cannot join others, or undefined.
 * @param text of the new one.
 */
export function refusalOf(held: readonly AttachedFile[], name: string, text: string): string | undefined {
  if (held.length >= LIMITS.files) return `${name} is one too many: ${LIMITS.files} files are taken at most.`;
  const characters = held.reduce((sum, file) => sum + file.text.length, text.length);
  if (characters > LIMITS.characters)
    return `${name} is too much: the files have ${characters} characters together.`;
  const same = held.some((file) => file.name === name && file.text === text);
  return same ? `${name} is attached already.` : undefined;
}
