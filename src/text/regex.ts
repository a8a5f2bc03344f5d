/**
 * Regular expressions of a tokenizer.json, which are written for Oniguruma, as JavaScript's. The two agree on most of
 * what tokenizers use; translated are the short classes (JavaScript's \s and \d are not Unicode's), parts that ignore
 * case, scripts, anchors of lines and needless escapes. Possessive quantifiers become greedy ones: in the splitters
 * that have them, what follows never matches what they took. Anything else that JavaScript lacks is an error.
 */
import { inputError } from '../core/index.ts';
import { quoted } from '../gguf/index.ts';

/** `\s` and the like, for use inside a class. */
const CLASSES: Readonly<Record<string, string>> = {
  s: '\\p{White_Space}',
  S: '\\P{White_Space}',
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  w: '\\p{L}\\p{M}\\p{N}\\p{Pc}',
};

/** Escapes that mean the same in both. */
const SAME = /^[nrtfv0\\^$.*+?()[\]{}|/-]$/;

/** Letters that differ from these in more than ASCII case. */
const OTHER_CASES: Readonly<Record<string, string>> = { s: '\u017f', k: '\u212a' };

/** Longest expression; those of tokenizers stay below 2,000 characters. */
const LONGEST = 10_000;

/** All spellings of an ASCII letter. */
function bothCases(letter: string): string {
  const lower = letter.toLowerCase();
  return lower + lower.toUpperCase() + (OTHER_CASES[lower] ?? '');
}

class Translator {
  readonly #source: string;
  #at = 0;
  #inClass = false;
  /** For each open group whether case is ignored in it. */
  readonly #ignoresCase: boolean[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  /** @throws Error with the reason. */
  translate(): string {
    let result = '';
    while (this.#at < this.#source.length) result += this.#next();
    return result;
  }

  #next(): string {
    const rest = this.#source.slice(this.#at);
    if (rest[0] === '\\') return this.#escape(rest);
    if (this.#inClass) return this.#classMember(rest);
    if (rest[0] === '[') return this.#openClass(rest);
    if (rest[0] === '(') return this.#group(rest);
    if (rest[0] === ')') this.#ignoresCase.pop();
    if (rest[0] === '.') return this.#take('[^\\n]', '.');
    const quantifier = /^(?:[?*+]|\{\d+(?:,\d*)?\})([+?]?)/.exec(rest);
    if (quantifier) return this.#take(quantifier[0].replace(/(.)\+$/s, '$1'), quantifier[0]);
    return this.#letter(rest);
  }

  /** Moves on behind `taken`. @returns what stands for it. */
  #take(result: string, taken: string): string {
    this.#at += taken.length;
    return result;
  }

  #openClass(rest: string): string {
    this.#inClass = true;
    const start = rest.startsWith('[^') ? '[^' : '[';
    // A bracket that closes nothing is a member.
    if (rest[start.length] === ']') return this.#take(`${start}\\]`, `${start}]`);
    return this.#take(start, start);
  }

  #group(rest: string): string {
    const flags = /^\(\?i:/.exec(rest);
    this.#ignoresCase.push(flags !== null || this.#ignoresCase.at(-1) === true);
    if (flags) return this.#take('(?:', flags[0]);
    const known = /^\((?:\?(?::|=|!|<=|<!))?(?!\?)/.exec(rest);
    if (!known) throw new Error(`the group ${quoted(rest.slice(0, 5))}`);
    return this.#take(known[0] === '(' ? '(?:' : known[0], known[0]);
  }

  #letter(rest: string): string {
    const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
    const folded = this.#ignoresCase.at(-1) && /[a-z]/i.test(character);
    return this.#take(folded ? `[${bothCases(character)}]` : character, character);
  }

  #classMember(rest: string): string {
    if (rest.startsWith('&&') || rest[0] === '[') throw new Error('a class inside a class');
    if (rest[0] === ']') this.#inClass = false;
    if (!this.#ignoresCase.at(-1)) return this.#take(rest[0], rest[0]);
    const range = /^[a-z]-[a-z]/i.exec(rest)?.[0];
    if (range) return this.#take(range.toLowerCase() + range.toUpperCase(), range);
    return this.#take(/[a-z]/i.test(rest[0]) ? bothCases(rest[0]) : rest[0], rest[0]);
  }

  #escape(rest: string): string {
    const property = /^\\([pP])\{(\^?)(\w+)\}/.exec(rest);
    if (property) {
      const negated = (property[1] === 'P') !== (property[2] === '^');
      return this.#take(propertyOf(property[3], negated), property[0]);
    }
    const code = /^\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})/.exec(rest)?.[0];
    if (code) return this.#take(code, code);
    const name = rest[1] ?? '';
    const short = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
    if (short !== undefined) return this.#take(this.#inClass ? short : `[${short}]`, rest.slice(0, 2));
    if (SAME.test(name)) {
      const needless = name === '-' && !this.#inClass;
      return this.#take(needless ? name : `\\${name}`, rest.slice(0, 2));
    }
    if (/[a-z0-9]/i.test(name) || name === '') throw new Error(`the escape ${quoted(`\\${name}`)}`);
    return this.#take(name, rest.slice(0, 2));
  }
}

/** A property or a script by its bare name. */
function propertyOf(name: string, negated: boolean): string {
  const start = negated ? '\\P' : '\\p';
  for (const form of [name, `Script=${name}`]) {
    try {
      new RegExp(`\\p{${form}}`, 'u');
      return `${start}{${form}}`;
    } catch {}
  }
  throw new Error(`the property ${quoted(name)}`);
}

/** @throws input error: JavaScript has no such expression. */
export function regexOf(source: string, place: string): RegExp {
  if (source.length > LONGEST) {
    throw inputError(
      place,
      `its regular expression has ${source.length} characters; at most ${LONGEST} are read`,
    );
  }
  try {
    return new RegExp(new Translator(source).translate(), 'gmu');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw inputError(place, `its regular expression ${quoted(source)} cannot be used here: ${reason}`);
  }
}

/** An expression that matches a text literally. */
export function literal(text: string): RegExp {
  return new RegExp(text.replaceAll(/[\^$\\.*+?()[\]{}|/]/g, '\\$&'), 'gu');
}
