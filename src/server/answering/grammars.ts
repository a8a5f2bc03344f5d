/** What an answer must look like, as a request says it: `response_format` or `grammar`. */
import {
  type Constraint,
  type Grammar,
  type GrammarCache,
  type GrammarTokenizer,
  JSON_OBJECT,
  parseGbnf,
  schemaGrammar,
  TokenGrammar,
} from '../../generate/index.ts';
import { apiError, invalid } from '../errors.ts';
import type { ResponseFormat } from '../schemas/chat-request.ts';

export interface Wanted {
  readonly response_format?: ResponseFormat | null | undefined;
  readonly grammar?: string | null | undefined;
}

/** Runs `make`; what it says of its input is said of the field. */
function at<T>(param: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const { status, message } = apiError(error);
    throw status === 400 ? invalid(param, message) : error;
  }
}

/** A schema as a grammar. @throws 400: it cannot be kept to; with `strict`, also where it can in parts only. */
export function schemaGrammarOf(
  cache: GrammarCache,
  param: string,
  { schema, strict = false }: { readonly schema: unknown; readonly strict?: boolean | null | undefined },
): Grammar {
  return cache.get(`schema ${strict} ${JSON.stringify(schema)}`, () =>
    at(param, () => {
      const { grammar, warnings } = schemaGrammar(schema);
      if (strict && warnings.length > 0) throw invalid(param, `strict, but ${warnings.join('; ')}`);
      return grammar;
    }),
  );
}

function formatGrammar(cache: GrammarCache, format: ResponseFormat): Grammar | undefined {
  if (format.type === 'text') return undefined;
  if (format.type === 'json_object') return JSON_OBJECT;
  const { schema, strict } = format.json_schema;
  if (schema === undefined) return JSON_OBJECT;
  return schemaGrammarOf(cache, 'response_format.json_schema.schema', { schema, strict });
}

/** @throws 400: both are given, or one is no grammar. */
export function wantedGrammar(
  cache: GrammarCache,
  { response_format, grammar }: Wanted,
): Grammar | undefined {
  const format = response_format ? formatGrammar(cache, response_format) : undefined;
  if (typeof grammar !== 'string') return format;
  if (format) throw invalid('grammar', 'and response_format: one of them');
  return cache.get(`gbnf ${grammar}`, () => at('grammar', () => parseGbnf(grammar)));
}

/** For one answer. @throws 400: the grammar is too large, or no text of it ends. */
export function constraintOf(param: string, grammar: Grammar, tokenizer: GrammarTokenizer): Constraint {
  return at(param, () => new TokenGrammar(grammar, tokenizer));
}
