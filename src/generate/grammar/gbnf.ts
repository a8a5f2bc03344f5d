/**
 * GBNF, llama.cpp's notation for grammars: `name ::= alternatives`, with literals, character classes, groups,
 * repetitions and comments. The rule `root` is what a whole text matches. Tokens by name or id are not read.
 */
import { inputError } from '../../core/index.ts';
import { ANY_CHARACTER, type CharSet, charSet, complement } from './char-set.ts';
import {
  characters,
  choice,
  code,
  type Expression,
  type Grammar,
  type Rule,
  repeat,
  ruleOf,
  sequence,
} from './expression.ts';
import { LIMITS } from './limits.ts';

const ROOT = 'root';
const NAME = /[A-Za-z0-9_-]+/y;
const BOUNDS = /\{\s*(\d*)\s*(,?)\s*(\d*)\s*\}/y;
/** An alternative may begin on a line of its own. */
const BAR = /(?:[ \t\r\n]|#[^\r\n]*)*\|/y;
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  '"': '"',
  '[': '[',
  ']': ']',
  '-': '-',
  '^': '^',
};
/** Digits of an escape by number. */
const HEX_ESCAPES: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const REPETITIONS: Readonly<Record<string, readonly [number, number]>> = {
  '*': [0, Number.POSITIVE_INFINITY],
  '+': [1, Number.POSITIVE_INFINITY],
  '?': [0, 1],
};

/** @throws input error: line, column, what was found and what is allowed. */
export function parseGbnf(text: string, name = 'grammar'): Grammar {
  return new Parser(text, name).grammar();
}

class Parser {
  readonly #text: string;
  readonly #name: string;
  /** Where each line begins. */
  readonly #lines: readonly number[];
  readonly #rules = new Map<string, Rule>();
  /** Names that are used, and where first. */
  readonly #used = new Map<string, number>();
  #at = 0;
  #depth = 0;

  constructor(text: string, name: string) {
    this.#name = name;
    this.#text = text;
    if (text.length > LIMITS.text) {
      throw inputError(name, `${text.length} characters; ${LIMITS.text} are allowed`);
    }
    this.#lines = [0, ...Array.from(text.matchAll(/\r\n|\r|\n/g), (end) => end.index + end[0].length)];
  }

  grammar(): Grammar {
    this.#space(true);
    while (this.#at < this.#text.length) this.#rule();
    for (const [used, at] of this.#used) {
      if (!this.#rules.has(used)) throw this.#error(`there is no rule "${used}"`, at);
    }
    if (!this.#rules.has(ROOT)) {
      throw inputError(this.#name, 'there is no rule "root"', 'it is what a whole text matches');
    }
    return { name: this.#name, rules: this.#rules, root: ROOT };
  }

  #rule(): void {
    const start = this.#at;
    const name = this.#word();
    if (this.#rules.has(name)) throw this.#error(`rule "${name}" stands here a second time`, start);
    if (this.#rules.size >= LIMITS.rules) throw this.#error(`more than ${LIMITS.rules} rules`, start);
    this.#space(false);
    if (!this.#take('::=')) throw this.#unexpected('"::="');
    this.#space(true);
    this.#rules.set(name, { expression: this.#alternatives(), place: this.#place(start) });
    if (this.#at < this.#text.length && !/[\r\n]/.test(this.#text[this.#at])) {
      throw this.#unexpected('a literal, a character class, a name, "(", "|" or the end of the line');
    }
    this.#space(true);
  }

  #alternatives(): Expression {
    const items = [this.#sequence()];
    while (this.#match(BAR)) {
      this.#space(true);
      items.push(this.#sequence());
    }
    return choice(...items);
  }

  #sequence(): Expression {
    const items: Expression[] = [];
    for (;;) {
      const start = this.#at;
      let item = this.#item();
      if (!item) return sequence(...items);
      let bounds = this.#repetition(start);
      for (let times = 0; bounds; bounds = this.#repetition(start)) {
        if (++times > LIMITS.nesting)
          throw this.#error(`more than ${LIMITS.nesting} repetitions of one thing`, start);
        item = repeat(item, ...bounds);
      }
      items.push(item);
      this.#space(this.#depth > 0);
    }
  }

  #item(): Expression | undefined {
    const letter = this.#text[this.#at];
    if (letter === '"') return this.#literal();
    if (letter === '[') return characters(this.#class());
    if (letter === '(') return this.#group();
    if (this.#take('.')) return characters(ANY_CHARACTER);
    if (letter === '<' || letter === '!') throw this.#error('tokens by name or id (<…>) cannot be used here');
    const start = this.#at;
    const name = this.#match(NAME)?.[0];
    if (name === undefined) return undefined;
    if (!this.#used.has(name)) this.#used.set(name, start);
    return ruleOf(name);
  }

  #group(): Expression {
    const start = this.#at++;
    if (++this.#depth > LIMITS.nesting) {
      throw this.#error(`more than ${LIMITS.nesting} brackets inside each other`, start);
    }
    this.#space(true);
    const inside = this.#alternatives();
    if (!this.#take(')')) throw this.#unexpected(`")" for the "(" at ${this.#position(start)}`);
    this.#depth--;
    return inside;
  }

  /** @param start where the repeated item begins. */
  #repetition(start: number): readonly [number, number] | undefined {
    const letter = this.#text[this.#at] ?? '';
    const before = this.#at;
    if (Object.hasOwn(REPETITIONS, letter)) {
      this.#at++;
      return REPETITIONS[letter];
    }
    if (letter !== '{') return undefined;
    const match = this.#match(BOUNDS);
    if (!match || (match[1] === '' && match[3] === '')) {
      throw this.#error('a repetition is {m}, {m,}, {m,n} or {,n}', before);
    }
    const least = Number(match[1]);
    const most = match[3] === '' ? (match[2] ? Number.POSITIVE_INFINITY : least) : Number(match[3]);
    if (match[2] === '' && match[3] !== '')
      throw this.#error('a repetition is {m}, {m,}, {m,n} or {,n}', before);
    if (least > most)
      throw this.#error(`the repetition ${match[0]} has its bounds the wrong way round`, before);
    for (const bound of [least, most]) {
      if (bound === Number.POSITIVE_INFINITY || bound <= LIMITS.repetition) continue;
      throw this.#error(
        `a repetition of ${bound} (of what begins at ${this.#position(start)}); ${LIMITS.repetition} is allowed`,
        before,
      );
    }
    return [least, most];
  }

  #literal(): Expression {
    const start = this.#at++;
    let text = '';
    while (!this.#take('"')) text += String.fromCodePoint(this.#letter('"', 'literal', start));
    return { kind: 'text', text };
  }

  #class(): CharSet {
    const start = this.#at++;
    const negated = this.#take('^');
    const ranges: [number, number][] = [];
    while (!this.#take(']')) {
      const first = this.#letter(']', 'character class', start);
      let last = first;
      if (this.#text[this.#at] === '-' && this.#text[this.#at + 1] !== ']') {
        this.#at++;
        last = this.#letter(']', 'character class', start);
      }
      if (last < first) throw this.#error('a range of characters ends before it begins', start);
      ranges.push([first, last]);
    }
    const set = charSet(...ranges);
    return negated ? complement(set) : set;
  }

  /** One character of a literal or class, escaped or not. */
  #letter(closing: string, what: string, start: number): number {
    const character = this.#text.codePointAt(this.#at);
    if (character === undefined || character === 10 || character === 13) {
      throw this.#error(`the ${what} is not closed: ${closing} is missing`, start);
    }
    const at = this.#at;
    this.#at += character > 0xffff ? 2 : 1;
    if (character !== 0x5c) return this.#scalar(character, at);
    const letter = this.#text[this.#at++] ?? '';
    if (Object.hasOwn(SIMPLE_ESCAPES, letter)) return code(SIMPLE_ESCAPES[letter]);
    const digits = Object.hasOwn(HEX_ESCAPES, letter) ? HEX_ESCAPES[letter] : 0;
    const hex = this.#text.slice(this.#at, this.#at + digits);
    if (digits === 0 || hex.length < digits || !/^[0-9A-Fa-f]+$/.test(hex)) {
      const known = '\\n \\r \\t \\\\ \\" \\[ \\] \\- \\^ \\xHH \\uHHHH \\UHHHHHHHH';
      throw this.#error(`unknown escape ${JSON.stringify(`\\${letter}${hex}`)}; known are ${known}`, at);
    }
    this.#at += digits;
    return this.#scalar(Number.parseInt(hex, 16), at);
  }

  #scalar(character: number, at: number): number {
    if (character <= 0x10ffff && !(character >= 0xd800 && character <= 0xdfff)) return character;
    throw this.#error(`U+${character.toString(16).toUpperCase()} is no character`, at);
  }

  #word(): string {
    const name = this.#match(NAME)?.[0];
    if (name === undefined) throw this.#unexpected('the name of a rule (letters, digits, "-" and "_")');
    return name;
  }

  /** Skips blanks and comments, and the ends of lines where they mean nothing. */
  #space(lines: boolean): void {
    this.#match(lines ? /(?:[ \t\r\n]|#[^\r\n]*)*/y : /[ \t]*(?:#[^\r\n]*)?/y);
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match) this.#at = pattern.lastIndex;
    return match ?? undefined;
  }

  #take(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #position(at: number): string {
    let [line, above] = [0, this.#lines.length];
    while (above - line > 1) {
      const middle = (line + above) >> 1;
      if (this.#lines[middle] <= at) line = middle;
      else above = middle;
    }
    return `${line + 1}:${Array.from(this.#text.slice(this.#lines[line], at)).length + 1}`;
  }

  #place(at: number): string {
    return `${this.#name}:${this.#position(at)}`;
  }

  #unexpected(wanted: string): Error {
    const letter = this.#text.codePointAt(this.#at);
    const found =
      letter === undefined
        ? 'the end'
        : letter === 10 || letter === 13
          ? 'the end of the line'
          : JSON.stringify(String.fromCodePoint(letter));
    return this.#error(`found ${found}, expected ${wanted}`);
  }

  #error(problem: string, at = this.#at): Error {
    return inputError(this.#place(at), problem);
  }
}
