/**
 * Cuts markdown into its top blocks (paragraphs, lists, code, tables…). While a text grows, all but its last blocks are
 * settled: text that is appended can change the last block, or melt it into the one before, and nothing above. So a
 * growing text costs the parsing of its end, not of all.
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

/** @param text from the beginning of a block. */
function cut(text: string): Cut {
  const blocks: string[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const token of lex(text)) {
    at += token.raw.length;
    if (token.type === 'space' || token.type === 'def') continue;
    blocks.push(token.raw);
    ends.push(at);
  }
  const settledBlocks = Math.max(0, blocks.length - UNSETTLED);
  return { blocks, settledBlocks, settledLength: ends[settledBlocks - 1] ?? 0 };
}

/** One text, as it grows. */
export class BlockCutter {
  #settled: string[] = [];
  /** The text of the settled blocks. */
  #done = '';

  /** @param text what there was, and more; another text starts again. */
  grow(text: string): readonly string[] {
    if (!text.startsWith(this.#done)) this.#restart();
    const rest = cut(text.slice(this.#done.length));
    const blocks = [...this.#settled, ...rest.blocks];
    this.#settled.push(...rest.blocks.slice(0, rest.settledBlocks));
    this.#done = text.slice(0, this.#done.length + rest.settledLength);
    return blocks;
  }

  /** Of a text that is whole; links find their definitions. */
  whole(text: string): readonly string[] {
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
