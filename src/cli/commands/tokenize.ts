/** `bitmill tokenize`: text to token ids with what they stand for, and back. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { inputError, usageError } from '../../core/index.ts';
import { quoted } from '../../gguf/index.ts';
import { isErrno } from '../../platform/index.ts';
import type { Tokenizer } from '../../text/index.ts';
import { printJson, table } from '../terminal.ts';
import { readTextFile } from '../texts.ts';
import { listTokens } from '../token-list.ts';
import { loadTokenizer } from '../tokenizer.ts';

interface TokenizeCommandOptions {
  readonly model: string;
  readonly file?: string;
  readonly special?: boolean;
  readonly bos?: boolean;
  readonly json?: boolean;
  readonly count?: boolean;
  readonly decode?: boolean;
}

const STDIN = 0;

/** The text of the arguments, else of the file, else of stdin. */
async function readText(words: readonly string[], file: string | undefined): Promise<string> {
  if (words.length > 0 && file !== undefined) throw usageError('give either a text or --file, not both');
  if (words.length > 0) return words.join(' ');
  if (file === undefined && process.stdin.isTTY) {
    throw usageError('there is no text', 'give it as an argument, with --file, or on stdin');
  }
  if (file !== undefined && file !== '-') return readTextFile(file);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(STDIN));
  } catch (error) {
    throw isErrno(error, 'ERR_ENCODING_INVALID_ENCODED_DATA') ? inputError('stdin', 'is not UTF-8') : error;
  }
}

/** Ids as people write them: parted by anything that is no digit. */
function parseIds(text: string): number[] {
  const wrong = /[^\d\s,;[\]()]/.exec(text);
  if (wrong)
    throw usageError(`--decode: ${quoted(wrong[0])} is not part of a list of ids`, 'for example 1 450 7483');
  return (text.match(/\d+/g) ?? []).map(Number);
}

function printTokens(tokenizer: Tokenizer, ids: Int32Array, options: TokenizeCommandOptions): void {
  if (options.count && !options.json) {
    process.stdout.write(`${ids.length}\n`);
    return;
  }
  if (options.json) {
    const tokens = options.count ? {} : { tokens: listTokens(tokenizer, ids) };
    printJson({ model: options.model, count: ids.length, ...tokens });
    return;
  }
  if (ids.length === 0) return;
  const rows = listTokens(tokenizer, ids).map(({ id, text }) => [String(id), quoted(text, 200)]);
  process.stdout.write(`${table(rows, [0])}\n`);
}

async function run(words: readonly string[], options: TokenizeCommandOptions): Promise<void> {
  const tokenizer = await loadTokenizer(options.model);
  const text = await readText(words, options.file);
  if (!options.decode) {
    const { special = false, bos = false } = options;
    printTokens(tokenizer, tokenizer.encode(text, { special, bos }), options);
    return;
  }
  const decoded = tokenizer.decode(parseIds(text), { special: options.special === true });
  if (options.json) printJson({ model: options.model, text: decoded });
  else process.stdout.write(`${decoded}\n`);
}

export function defineTokenize(command: Command): void {
  command
    .name('tokenize')
    .description('show the tokens of a text, or the text of token ids')
    .argument('[text...]', 'the text (or ids, with --decode); default: --file, or stdin')
    .requiredOption('-m, --model <path>', 'GGUF file, tokenizer.json, or the folder of a checkpoint')
    .option('-f, --file <path>', 'read the text from a file')
    .option('--special', 'read (with --decode: write) control tokens such as <|end|>')
    .option('--bos', 'add the tokens that the model wants around a text')
    .option('--count', 'only the number of tokens')
    .option('--decode', 'the other way: ids to text')
    .option('--json', 'print JSON')
    .action(run);
}
