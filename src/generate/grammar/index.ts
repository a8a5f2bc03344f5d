/** Constrained output: grammars, as written or out of a JSON schema, that say which tokens may come next. */
export { GrammarCache } from './cache.ts';
export type { Grammar } from './expression.ts';
export { parseGbnf } from './gbnf.ts';
export { LazyGrammar } from './lazy-grammar.ts';
export { JSON_OBJECT, parseSchema, type SchemaGrammar, schemaGrammar } from './schema/index.ts';
export { TokenGrammar } from './token-grammar.ts';
export type { GrammarTokenizer } from './token-trie.ts';
