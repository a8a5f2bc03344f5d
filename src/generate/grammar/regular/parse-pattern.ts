/**
 * Patterns of JSON Schema: the regular part of ECMAScript's expressions, read as with the flag `u`. Look-around, word
 * boundaries and back references are no regular subset that is worth its cost; they are refused by name.
 */
import { type CharSet, charSet, complement } from '../char-set.ts';
import { code } from '../expression.ts';
import { LIMITS } from '../limits.ts';

export type Pattern =
  | { readonly kind: 'set'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly items: readonly Pattern[] }
  | { readonly kind: 'choice'; readonly items: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly item: Pattern; readonly least: number; readonly most: number }
  /** `^` and `$`. */
  | { readonly kind: 'start' }
  | { readonly kind: 'end' };

/** What a pattern has that cannot be followed; whoever knows the place makes an error of it. */
export class PatternProblem extends Error {}

const DIGITS = charSet([0x30, 0x39]);
const WORD = charSet([0x30, 0x39], [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]);
const SPACE = charSet(
  [9, 13],
  ...[0x20, 0xa0, 0x1680, 0x202f, 0x205f, 0x3000, 0xfeff].map((one) => [one, one] as const),
  [0x2000, 0x200a],
  [0x2028, 0x2029],
);
const LINE_ENDS = charSet([10, 10], [13, 13], [0x2028, 0x2029]);

const CLASSES: Readonly<Record<string, CharSet>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };
const QUANTIFIER = /(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/y;
const NUMBERED = /x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}/y;
const PROPERTY = /[pP]\{[A-Za-z0-9_=]{1,60}\}/y;
const PROPERTIES = new Map<string, CharSet>();

/** Asks the runtime's own tables, character by character; remembered. */
function propertySet(written: string): CharSet {
  const known = PROPERTIES.get(written);
  if (known) return known;
  let matches: RegExp;
  try {
    matches = new RegExp(`^\\${written}$`, 'u');
  } catch {
    throw new PatternProblem(`unknown property \\${written}`);
  }
  const ranges: [number, number][] = [];
  for (let one = 0; one <= 0x10ffff; one++) {
    if (!matches.test(String.fromCodePoint(one))) continue;
    const last = ranges.at(-1);
    if (last && last[1] === one - 1) last[1] = one;
    else ranges.push([one, one]);
  }
  const set = charSet(...ranges);
  PROPERTIES.set(written, set);
  return set;
}

/** @throws PatternProblem */
export function parsePattern(source: string): Pattern {
  if (source.length > LIMITS.pattern) throw new PatternProblem(`longer than ${LIMITS.pattern} characters`);
  return new PatternParser(source).parse();
}

class PatternParser {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Pattern {
    const pattern = this.#choice();
    if (this.#at < this.#source.length) throw new PatternProblem(`")" at ${this.#at + 1} closes nothing`);
    return pattern;
  }

  #choice(): Pattern {
    const items = [this.#sequence()];
    while (this.#take('|')) items.push(this.#sequence());
    return items.length === 1 ? items[0] : { kind: 'choice', items };
  }

  #sequence(): Pattern {
    const items: Pattern[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at])) {
      const atom = this.#atom();
      items.push(this.#quantified(atom));
    }
    return { kind: 'sequence', items };
  }

  #quantified(item: Pattern): Pattern {
    const match = this.#match(QUANTIFIER);
    if (!match) return item;
    const [whole, sign, low, comma, high] = match;
    if (item.kind === 'start' || item.kind === 'end') throw new PatternProblem(`${whole} repeats an anchor`);
    const least = sign ? (sign === '+' ? 1 : 0) : Number(low);
    const open = sign ? sign !== '?' : comma !== '' && high === '';
    const most = open ? Number.POSITIVE_INFINITY : sign ? 1 : comma === '' ? least : Number(high);
    if (least > most) throw new PatternProblem(`${whole} has its bounds the wrong way round`);
    for (const bound of [least, open ? 0 : most]) {
      if (bound > LIMITS.repetition) throw new PatternProblem(`${whole}: ${LIMITS.repetition} is allowed`);
    }
    return { kind: 'repeat', item, least, most };
  }

  #atom(): Pattern {
    if (this.#take('(')) return this.#group();
    if (this.#take('[')) return { kind: 'set', set: this.#class() };
    if (this.#take('.')) return { kind: 'set', set: complement(LINE_ENDS) };
    if (this.#take('^')) return { kind: 'start' };
    if (this.#take('$')) return { kind: 'end' };
    if (this.#take('\\')) return { kind: 'set', set: this.#escape(false) };
    const character = this.#character();
    if ('*+?'.includes(String.fromCodePoint(character)))
      throw new PatternProblem('nothing stands before * + ?');
    return { kind: 'set', set: charSet([character, character]) };
  }

  #group(): Pattern {
    if (++this.#depth > LIMITS.nesting) throw new PatternProblem(`more than ${LIMITS.nesting} nested groups`);
    if (this.#match(/\?(?:[=!]|<[=!])/y)) throw new PatternProblem('look-around cannot be followed');
    const named = this.#match(/\?(?::|<[\p{ID_Start}$_][\p{ID_Continue}$]*>)/uy);
    if (!named && this.#source[this.#at] === '?')
      throw new PatternProblem('groups with flags cannot be followed');
    const inside = this.#choice();
    if (!this.#take(')')) throw new PatternProblem('a group is not closed: ")" is missing');
    this.#depth--;
    return inside;
  }

  #class(): CharSet {
    const negated = this.#take('^');
    const ranges: (readonly [number, number])[] = [];
    while (!this.#take(']')) {
      const first = this.#member();
      if (this.#source[this.#at] !== '-' || this.#source[this.#at + 1] === ']') {
        ranges.push(...first);
        continue;
      }
      this.#at++;
      const last = this.#member();
      const one = first.length === 1 && first[0][0] === first[0][1] && last.length === 1;
      if (!one || last[0][0] !== last[0][1]) ranges.push(...first, [0x2d, 0x2d], ...last);
      else if (last[0][0] < first[0][0])
        throw new PatternProblem('a range of characters ends before it begins');
      else ranges.push([first[0][0], last[0][0]]);
    }
    const set = charSet(...ranges);
    return negated ? complement(set) : set;
  }

  #member(): CharSet {
    if (this.#take('\\')) return this.#escape(true);
    if (this.#at >= this.#source.length) throw new PatternProblem('a class is not closed: "]" is missing');
    const character = this.#character();
    return [[character, character]];
  }

  #escape(inClass: boolean): CharSet {
    const letter = this.#source[this.#at] ?? '';
    if (this.#match(/c[A-Za-z]/y)) {
      const control = this.#source.charCodeAt(this.#at - 1) % 32;
      return charSet([control, control]);
    }
    const numbered = this.#match(NUMBERED);
    if (numbered) {
      const value = Number.parseInt(numbered[1] ?? numbered[2] ?? numbered[3], 16);
      return this.#numbered(value);
    }
    const property = this.#match(PROPERTY);
    if (property) return propertySet(property[0]);
    if (inClass && this.#take('b')) return charSet([8, 8]);
    const known = Object.hasOwn(CLASSES, letter) ? CLASSES[letter] : undefined;
    if (known || Object.hasOwn(CONTROLS, letter)) {
      this.#at++;
      return known ?? charSet([CONTROLS[letter], CONTROLS[letter]]);
    }
    if (/[1-9k]/.test(letter)) throw new PatternProblem('back references cannot be followed');
    if (/[bB]/.test(letter)) throw new PatternProblem(`\\${letter} (word boundary) cannot be followed`);
    if (letter === '' || /[A-Za-z]/.test(letter)) throw new PatternProblem(`unknown escape \\${letter}`);
    const character = this.#character();
    return charSet([character, character]);
  }

  /** Two escapes of surrogates are one character. */
  #numbered(value: number): CharSet {
    if (value > 0x10ffff) throw new PatternProblem(`U+${value.toString(16)} is no character`);
    if (value < 0xd800 || value > 0xdfff) return [[value, value]];
    const low = value < 0xdc00 ? this.#match(/\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})/y) : undefined;
    if (!low) throw new PatternProblem('half a character (a lone surrogate) cannot be followed');
    const whole = code(String.fromCharCode(value, Number.parseInt(low[1], 16)));
    return [[whole, whole]];
  }

  #character(): number {
    const character = this.#source.codePointAt(this.#at) ?? 0;
    this.#at += character > 0xffff ? 2 : 1;
    return character;
  }

  #take(letter: string): boolean {
    if (this.#source[this.#at] !== letter) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (match) this.#at = pattern.lastIndex;
    return match ?? undefined;
  }
}
