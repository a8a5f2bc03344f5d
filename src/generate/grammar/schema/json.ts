/** JSON itself: what stands between its signs, and the rules for values without a schema. */
import { ANY_CHARACTER, type CharSet, charSet, complement, intersection } from '../char-set.ts';
import {
  characters,
  choice,
  EMPTY,
  type Expression,
  oneOf,
  optional,
  type Rule,
  repeat,
  ruleOf,
  sequence,
  shared,
  text,
} from '../expression.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isArray = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

/** Models love white space: without a bound some never stop. */
const INDENT = 32;
const digit = characters(charSet([0x30, 0x39]));
const hex = characters(charSet([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]));

/** What may stand between two signs: nothing, a space, or a line break with an indent. */
export const SPACE: Expression = ruleOf('space');
const spaceRule = choice(EMPTY, text(' '), sequence(text('\n'), repeat(oneOf(' \t'), 0, INDENT)));

/** Two signs with space between. */
export const spaced = (...items: Expression[]): Expression =>
  sequence(...items.flatMap((item, i) => (i === 0 ? [item] : [SPACE, item])));

const ESCAPED = charSet([0, 0x1f], [0x22, 0x22], [0x5c, 0x5c]);
const PLAIN = complement(ESCAPED);

/** Characters inside a string, each written in one way only: as JSON.stringify does. */
export function stringCharacters(set: CharSet): Expression {
  const escapes: Expression[] = [];
  for (const [first, last] of intersection(set, ESCAPED)) {
    for (let one = first; one <= last; one++) {
      escapes.push(text(JSON.stringify(String.fromCodePoint(one)).slice(1, -1)));
    }
  }
  const plain = characters(intersection(set, PLAIN));
  return escapes.length < 2 ? choice(plain, ...escapes) : choice(plain, shared(choice(...escapes)));
}

/** A string whose characters JSON.stringify would write so. */
export const quoted = (inside: Expression): Expression => sequence(text('"'), inside, text('"'));
export const anyName = quoted(repeat(stringCharacters(ANY_CHARACTER), 0));

/** Strings with all of JSON's escapes. */
const freeString = quoted(
  repeat(
    choice(
      characters(PLAIN),
      sequence(text('\\'), choice(oneOf('"\\/bfnrt'), sequence(text('u'), repeat(hex, 4, 4)))),
    ),
    0,
  ),
);

/** Digits before the point: as many as JSON.stringify writes without an exponent. */
export const MOST_DIGITS = 21;
/** Behind the point: as many as JSON.stringify ever writes. */
export const MOST_DECIMALS = 25;

const whole = choice(
  text('0'),
  sequence(characters(charSet([0x31, 0x39])), repeat(digit, 0, MOST_DIGITS - 1)),
);
const integer = sequence(optional(text('-')), whole);
const number = sequence(
  integer,
  optional(sequence(text('.'), repeat(digit, 1, MOST_DECIMALS))),
  optional(sequence(oneOf('eE'), optional(oneOf('+-')), repeat(digit, 1, 3))),
);

/** `[item, item, …]`, or nothing between the brackets. */
function list(open: string, item: Expression, close: string): Expression {
  const more = repeat(sequence(SPACE, text(','), SPACE, item), 0);
  return sequence(text(open), SPACE, optional(sequence(item, more, SPACE)), text(close));
}

const array = list('[', ruleOf('value'), ']');
const object = list('{', spaced(anyName, text(':'), ruleOf('value')), '}');
const value = choice(
  ...['null', 'boolean', 'number', 'string', 'array', 'object'].map((name) => ruleOf(name)),
);

/** Rules of values without a schema, by type; `value` is any of them. No name of a schema's own rules is among them. */
export const JSON_RULES = {
  space: spaceRule,
  null: text('null'),
  boolean: choice(text('true'), text('false')),
  integer,
  number,
  string: freeString,
  array,
  object,
  value,
} as const satisfies Readonly<Record<string, Expression>>;

export const jsonRules = (): Map<string, Rule> =>
  new Map(Object.entries(JSON_RULES).map(([name, expression]) => [name, { expression }]));

/** Exactly this value, with white space as one likes. */
export function constant(value: Json): Expression {
  if (isArray(value)) return commaList('[', value.map(constant), ']');
  if (!isObject(value)) return text(JSON.stringify(value));
  const entries = Object.entries(value).map(([name, one]) =>
    spaced(text(JSON.stringify(name)), text(':'), constant(one)),
  );
  return commaList('{', entries, '}');
}

function commaList(open: string, items: readonly Expression[], close: string): Expression {
  const parts = items.flatMap((item, i) => (i === 0 ? [item] : [text(','), item]));
  return spaced(text(open), ...parts, text(close));
}
