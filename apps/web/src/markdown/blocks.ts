/**
 * Cuts markdown into its top blocks (paragraphs, lists, code, tables…). While a text grows, all but its last blocks are
 * settled: text that is appended can change the last block, or melt it into the one before (a list goes on after an
 * empty line), and nothing above. So a growing text costs the parsing of its end, not of all.
 */
import { Lexer, type Token } from 'marked';

/** Blocks at the end that may still change. */
const UNSETTLED = 2;

/** Definitions of links (`[a]: https://…`) hold for the whole text: they are put before each block that may use one. */
const DEFINITION = /^ {0,3}\[[^\]\n]+\]:[ \t]*\S+.*$/gm;

interface Cut {
  readonly blocks: readonly string[];
  /** Where the last ones of them begin. */
  readonly settledBlocks: number;
  readonly settledLength: number;
}

function lex(text: string): Token[] {
  return new Lexer({ gfm: true }).blockTokens(text, []);
}

const withPlainLineEnds = (text: string): string => text.replace(/\r\n?/g, '\n');

/** @param text from the beginning of a block. */
function cut(text: string): Cut {
  const blocks: string[] = [];
  /** Where a block ends in the text, and whether an empty line follows: without one, what comes may reach back. */
  const ends: { readonly at: number; closed: boolean }[] = [];
  let at = 0;
  for (const { type, raw } of lex(text)) {
    at += raw.length;
    const last = ends.at(-1);
    if (type === 'space' && last) last.closed = true;
    if (type === 'space' || type === 'def') continue;
    blocks.push(raw);
    ends.push({ at, closed: /\n[ \t]*\n$/.test(raw) });
  }
  let settledBlocks = Math.max(0, blocks.length - UNSETTLED);
  while (settledBlocks > 0 && !ends[settledBlocks - 1]?.closed) settledBlocks--;
  return { blocks, settledBlocks, settledLength: ends[settledBlocks - 1]?.at ?? 0 };
}

/** One text, as it grows. */
export class BlockCutter {
  #settled: string[] = [];
  /** The text of the settled blocks. */
  #done = '';

  /** @param grown what there was, and more; another text starts again. */
  grow(grown: string): readonly string[] {
    const text = withPlainLineEnds(grown);
    if (!text.startsWith(this.#done)) this.#restart();
    const rest = cut(text.slice(this.#done.length));
    const blocks = [...this.#settled, ...rest.blocks];
    this.#settled.push(...rest.blocks.slice(0, rest.settledBlocks));
    this.#done = text.slice(0, this.#done.length + rest.settledLength);
    return blocks;
  }

  /** Of a text that is whole; links find their definitions. */
  whole(any: string): readonly string[] {
    const text = withPlainLineEnds(any);
    this.#restart();
    const { blocks } = cut(text);
    const definitions = text.match(DEFINITION)?.join('\n') ?? '';
    if (!definitions) return blocks;
    return blocks.map((block) => (block.includes('[') ? `${block}\n\n${definitions}` : block));
  }

  #restart(): void {
    this.#settled = [];
    this.#done = '';
  }
}
