/** What a grammar may cost at most. Grammars and schemas come from outside; beyond these they are refused by name. */
export const LIMITS = {
  /** Characters of a GBNF text. */
  text: 1 << 20,
  /** Rules, those that a schema makes among them. */
  rules: 10_000,
  /** Brackets inside brackets; schemas inside `allOf` and the like. */
  nesting: 200,
  /** Bounds of one repetition: `{m,n}`, `maxLength`, `maxItems`. */
  repetition: 10_000,
  /** States of the whole automaton. A copy of an expression in a repetition counts as often as it is repeated. */
  states: 200_000,
  /** Alternatives that one schema becomes when `allOf` and `anyOf` are multiplied out. */
  alternatives: 4096,
  /** States of one pattern, format, length or bound of a number. */
  pattern: 10_000,
  /** Ways of reading a text that are open at once. */
  ways: 20_000,
  /** Steps of work for one byte, and for one mask. */
  work: 4_000_000,
  /** What can happen next, summed over all states: large where much can be left out. */
  closures: 4_000_000,
  /** States of the matching automaton that are remembered; then it starts afresh. */
  remembered: 20_000,
  /** Bytes of masks that are remembered for one pair of grammar and vocabulary. */
  masks: 32 << 20,
} as const;
