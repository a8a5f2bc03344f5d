/**
 * Texts in pieces that a search can find and a prompt can hold. A piece ends where the text has a seam: before a
 * heading, else between paragraphs, lines, sentences, words. Pieces know where they stand, so that a citation can be
 * shown in its file.
 */

/** A piece: characters `from` up to `to` of its text. */
export interface Chunk {
  readonly from: number;
  readonly to: number;
  /** The headings above it, outermost first: `Install › Linux`; '' where there are none. */
  readonly heading: string;
}

export interface ChunkOptions {
  /** Characters at most. */
  readonly size?: number;
  /** Characters of the piece before that are repeated at most, so that no thought is cut in two. */
  readonly overlap?: number;
}

/** About 250 tokens: a few paragraphs, and four of them fit a small context. */
const SIZE = 1000;
const OVERLAP = 150;

/** Seams inside a block, the best first; the cut is behind the match. */
const SEAMS = [/\n/g, /[.!?…。！？]["'”’)\]]*\s+|[。！？]/g, /[;,:、，]\s*/g, /\s+/g] as const;

interface Block {
  readonly from: number;
  readonly to: number;
  readonly heading: string;
  /** Begins with a heading. */
  readonly opens: boolean;
}

export function chunksOf(text: string, { size = SIZE, overlap = OVERLAP }: ChunkOptions = {}): Chunk[] {
  const parts = blocksOf(text).flatMap((block) => split(text, block, size));
  const chunks: Chunk[] = [];
  let open: Block | undefined;
  for (const part of parts) {
    if (open && !part.opens && part.heading === open.heading && part.to - open.from <= size) {
      open = { ...open, to: part.to };
      continue;
    }
    if (open) chunks.push(trimmed(text, open));
    open =
      open && part.heading === open.heading && !part.opens
        ? overlapping(text, open, part, overlap, size)
        : part;
  }
  if (open) chunks.push(trimmed(text, open));
  return chunks.filter(({ from, to }) => to > from);
}

const HEADING = /^ {0,3}(#{1,6})\s+(\S.*?)\s*#*\s*$/;

/** Paragraphs with their headings; a fence of code is not looked into. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  const path: string[] = [];
  let start = 0;
  let opens = false;
  let fenced = false;
  const close = (at: number) => {
    if (text.slice(start, at).trim() !== '') {
      blocks.push({ from: start, to: at, heading: path.filter(Boolean).join(' › '), opens });
      opens = false;
    }
    start = at;
  };
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at) + 1 || text.length;
    const line = text.slice(at, end).trimEnd();
    if (/^ {0,3}(```|~~~)/.test(line)) fenced = !fenced;
    const heading = fenced ? null : HEADING.exec(line);
    if (heading) {
      close(at);
      path.length = heading[1].length - 1;
      path[heading[1].length - 1] = heading[2];
      opens = true;
    } else if (line === '' && !fenced) {
      close(end);
    }
    at = end;
  }
  close(text.length);
  return blocks;
}

/** A block in pieces that fit, cut at the best seam in their second half. */
function split(text: string, block: Block, size: number): Block[] {
  const pieces: Block[] = [];
  let { from, opens } = block;
  while (block.to - from > size) {
    const to = seam(text, from + Math.floor(size / 2), from + size);
    pieces.push({ ...block, from, to, opens });
    from = to;
    opens = false;
  }
  return [...pieces, { ...block, from, opens }];
}

/** The last of the best seams between two places; without one, the second, but never inside a surrogate pair. */
function seam(text: string, low: number, high: number): number {
  const part = text.slice(low, high);
  for (const pattern of SEAMS) {
    const last = [...part.matchAll(pattern)].at(-1);
    if (last) return low + last.index + last[0].length;
  }
  const inside = /[\udc00-\udfff]/.test(text.charAt(high)) && /[\ud800-\udbff]/.test(text.charAt(high - 1));
  return inside ? high - 1 : high;
}

/** A part that begins a little earlier, at a seam inside the piece before, as far as the size allows. */
function overlapping(text: string, before: Block, part: Block, overlap: number, size: number): Block {
  const room = Math.min(overlap, size - (part.to - part.from), before.to - before.from - 1);
  if (room <= 0) return part;
  const low = part.from - room;
  const piece = text.slice(low, part.from).trimEnd();
  for (const pattern of SEAMS) {
    const first = piece.matchAll(pattern).next().value;
    if (first) return { ...part, from: low + first.index + first[0].length };
  }
  return part;
}

function trimmed(text: string, { from, to, heading }: Block): Chunk {
  const piece = text.slice(from, to);
  const start = from + (piece.length - piece.trimStart().length);
  return { from: start, to: Math.max(start, from + piece.trimEnd().length), heading };
}
