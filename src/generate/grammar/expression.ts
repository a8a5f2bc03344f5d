/** A grammar as data: rules of expressions over characters. What GBNF and JSON schemas become, and what is compiled. */
import { ANY_CHARACTER, type CharSet, charSet } from './char-set.ts';

export type Expression =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'characters'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly items: readonly Expression[] }
  /** Without items it matches nothing, not even the empty text. */
  | { readonly kind: 'choice'; readonly items: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly item: Expression; readonly least: number; readonly most: number }
  | { readonly kind: 'rule'; readonly name: string }
  /** The same as the item, which is built once for all its uses: for what is large and used often. */
  | { readonly kind: 'shared'; readonly item: Expression }
  | { readonly kind: 'graph'; readonly nodes: readonly GraphNode[] };

/** A finite automaton over expressions; node 0 is where it begins. */
export interface GraphNode {
  readonly ends: boolean;
  readonly edges: readonly { readonly label: Expression; readonly to: number }[];
}

export interface Rule {
  readonly expression: Expression;
  /** Where it stands, for errors: `chess.gbnf:3:1`; undefined for rules that nobody wrote. */
  readonly place?: string;
}

export interface Grammar {
  /** For errors: the file, or what the text is. */
  readonly name: string;
  readonly rules: ReadonlyMap<string, Rule>;
  /** Name of the rule that a whole text matches. */
  readonly root: string;
}

export const text = (value: string): Expression => ({ kind: 'text', text: value });
export const characters = (set: CharSet): Expression => ({ kind: 'characters', set });
export const sequence = (...items: Expression[]): Expression =>
  items.length === 1 ? items[0] : { kind: 'sequence', items };
export const choice = (...items: Expression[]): Expression =>
  items.length === 1 ? items[0] : { kind: 'choice', items };
export const repeat = (item: Expression, least: number, most = Number.POSITIVE_INFINITY): Expression => ({
  kind: 'repeat',
  item,
  least,
  most,
});
export const optional = (item: Expression): Expression => repeat(item, 0, 1);
export const ruleOf = (name: string): Expression => ({ kind: 'rule', name });

export const shared = (item: Expression): Expression => ({ kind: 'shared', item });

export const EMPTY: Expression = { kind: 'sequence', items: [] };
export const NEVER: Expression = { kind: 'choice', items: [] };
export const ANY: Expression = characters(ANY_CHARACTER);

/** One of these characters: `'09'` is no range, each stands for itself. */
export const oneOf = (letters: string): Expression =>
  characters(charSet(...Array.from(letters, (letter) => [code(letter), code(letter)] as const)));

/** The number of a character. */
export const code = (letter: string): number => letter.codePointAt(0) ?? 0;
