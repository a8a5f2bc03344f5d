/**
 * A little colour for the Markdown of an answer while it streams: headings, bold, code, list markers. Not a renderer:
 * every character comes out, in order, the marks of Markdown too, so a terminal shows what the model wrote and what is
 * copied from it can be pasted. What might still become a mark is held back until the next character decides.
 */
import type pc from 'picocolors';

type Paint = (text: string) => string;

/** How each kind of text looks. */
export type Palette = Readonly<Record<'heading' | 'bold' | 'code' | 'marker', Paint>>;

export function palette(c: ReturnType<typeof pc.createColors>): Palette {
  return { heading: (text) => c.bold(c.magenta(text)), bold: c.bold, code: c.cyan, marker: c.yellow };
}

/** What the beginning of a line may still become: a heading, a fence, an item of a list. */
const UNDECIDED = /^ {0,12}(#{0,6}|`{1,3}|~{1,3}|[-*+]|\d{1,3}[.)]?)$/;
const FENCE = /^ *(```|~~~)/;
const HEADING = /^ {0,3}#{1,6} /;
const ITEM = /^( *(?:[-*+]|\d{1,3}[.)]))( .*)/;

export class MarkdownColours {
  readonly #palette: Palette;
  #out = '';
  /** The end of the text so far that has one look. */
  #run = '';
  #paint: Paint | undefined;
  /** Characters that may still become a mark. */
  #held = '';
  /** Where the next character stands: nothing of the line is decided; in text; in a line that has one look. */
  #place: 'start' | 'text' | 'line' = 'start';
  #line: Paint | undefined;
  /** What opened the block of code that goes on. */
  #fence: string | undefined;
  #bold = false;
  #code = false;

  constructor(palette: Palette) {
    this.#palette = palette;
  }

  /** Text with colours; some of it may come out with a later piece. */
  push(text: string): string {
    for (const character of text) this.#next(character);
    return this.#take();
  }

  /** What was held back; the text is over. */
  flush(): string {
    this.#endLine();
    this.#fence = undefined;
    return this.#take();
  }

  #take(): string {
    this.#emit('', undefined);
    const out = this.#out + this.#run;
    this.#out = '';
    this.#run = '';
    return out;
  }

  #emit(text: string, paint: Paint | undefined): void {
    if (paint !== this.#paint) {
      this.#out += this.#paint && this.#run ? this.#paint(this.#run) : this.#run;
      this.#run = '';
      this.#paint = paint;
    }
    this.#run += text;
  }

  #next(character: string): void {
    if (character === '\n') {
      this.#endLine();
      this.#emit('\n', undefined);
    } else if (this.#place === 'line') this.#emit(character, this.#line);
    else if (this.#place === 'text') this.#text(character);
    else if (UNDECIDED.test(this.#held + character)) this.#held += character;
    else this.#beginLine(this.#held + character);
  }

  #endLine(): void {
    if (this.#place === 'start' && this.#held) this.#beginLine(this.#held);
    this.#stars('');
    this.#place = 'start';
    this.#bold = false;
    this.#code = false;
  }

  /** @param text as much of the line as is needed to know what it is. */
  #beginLine(text: string): void {
    this.#held = '';
    const { heading, code, marker } = this.#palette;
    const fence = FENCE.exec(text)?.[1];
    const isCode = fence !== undefined || this.#fence !== undefined;
    if (this.#fence === undefined) this.#fence = fence;
    else if (fence === this.#fence) this.#fence = undefined;
    if (isCode || HEADING.test(text)) {
      this.#place = 'line';
      this.#line = isCode ? code : heading;
      this.#emit(text, this.#line);
      return;
    }
    this.#place = 'text';
    const [, mark = '', rest = text] = ITEM.exec(text) ?? [];
    if (mark) this.#emit(mark, marker);
    for (const character of rest) this.#text(character);
  }

  #text(character: string): void {
    const { bold, code } = this.#palette;
    if (!this.#code && character === '*' && this.#held.length < 2) {
      this.#held += '*';
      return;
    }
    this.#stars(character);
    if (character === '*' && !this.#code) {
      this.#held = '*';
      return;
    }
    const tick = character === '`';
    this.#emit(character, this.#code || tick ? code : this.#bold ? bold : undefined);
    if (tick) this.#code = !this.#code;
  }

  /** Decides on stars that were held back. @param next what follows: bold begins only before a word. */
  #stars(next: string): void {
    const stars = this.#held;
    this.#held = '';
    if (stars === '') return;
    const opens = stars === '**' && !this.#bold && /\S/.test(next);
    this.#emit(stars, this.#bold || opens ? this.#palette.bold : undefined);
    if (stars === '**') this.#bold = opens;
  }
}
