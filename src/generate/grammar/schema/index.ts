/**
 * JSON schemas as grammars. Every text that comes out is JSON that the schema allows, as far as no warning says less;
 * properties stand in the order in which the schema lists them. What cannot be kept to is refused by name.
 */
import { inputError } from '../../../core/index.ts';
import { choice, type Expression, type Grammar, NEVER, type Rule, ruleOf } from '../expression.ts';
import { LIMITS } from '../limits.ts';
import { PatternProblem } from '../regular/index.ts';
import { SchemaDocument } from './expand.ts';
import { fitsShape } from './fits.ts';
import { constant, type Json, jsonRules } from './json.ts';
import type { Conjunction, Shape } from './shape.ts';
import { type RuleFor, writtenValue } from './values.ts';

export interface SchemaGrammar {
  readonly grammar: Grammar;
  /** What of the schema is not kept to: place, and in what way. */
  readonly warnings: readonly string[];
}

const ROOT = 'root';

/** @param schema as JSON.parse gives it. @throws input error: keyword and place, what was found, what is allowed. */
export function schemaGrammar(schema: unknown, name = 'schema'): SchemaGrammar {
  return new Writer(new SchemaDocument(name, schema as Json)).grammar();
}

/** The same for a text. */
export function parseSchema(text: string, name = 'schema'): SchemaGrammar {
  if (text.length > LIMITS.text) {
    throw inputError(name, `${text.length} characters; ${LIMITS.text} are allowed`);
  }
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (problem) {
    throw inputError(name, `is no JSON: ${(problem as Error).message}`);
  }
  return schemaGrammar(schema, name);
}

/** Any JSON object: `response_format: { type: 'json_object' }`. One for all, so that what is learned of it is kept. */
export const JSON_OBJECT: Grammar = {
  name: 'JSON object',
  rules: jsonRules().set(ROOT, { expression: ruleOf('object') }),
  root: ROOT,
};

class Writer {
  readonly #document: SchemaDocument;
  readonly #rules: Map<string, Rule> = jsonRules();
  /** Rules that are named and not written yet. */
  readonly #open = new Map<string, Conjunction>();

  constructor(document: SchemaDocument) {
    this.#document = document;
  }

  grammar(): SchemaGrammar {
    const { name, root } = this.#document;
    this.#rules.set(ROOT, { expression: this.#ruleFor([root]) });
    for (const [rule, schemas] of this.#open) {
      if (this.#open.size > LIMITS.rules) throw inputError(name, `becomes more than ${LIMITS.rules} rules`);
      this.#rules.set(rule, { expression: this.#expression(schemas) });
    }
    return { grammar: { name, rules: this.#rules, root: ROOT }, warnings: this.#document.warnings };
  }

  readonly #ruleFor: RuleFor = (schemas) => {
    if (schemas.length === 0) return ruleOf('value');
    const name = schemas.map(({ pointer }) => pointer).join(' & ');
    this.#open.set(name, this.#open.get(name) ?? schemas);
    return ruleOf(name);
  };

  #expression(schemas: Conjunction): Expression {
    const simple = schemas.length === 1 ? this.#document.simple(schemas[0]) : undefined;
    if (simple) {
      // Asked for all the same: it finds what refers to itself.
      this.#document.expand(schemas);
      return choice(...simple.map((one) => this.#ruleFor([one])));
    }
    const shapes = this.#document.expand(schemas);
    return shapes.length === 0 ? NEVER : choice(...shapes.map((shape) => this.#shape(schemas, shape)));
  }

  #shape(schemas: Conjunction, shape: Shape): Expression {
    if (shape.values) {
      const fitting = shape.values.filter((value) => fitsShape(this.#document, shape, value));
      return choice(...fitting.map(constant));
    }
    try {
      return writtenValue(shape, this.#ruleFor);
    } catch (problem) {
      if (!(problem instanceof PatternProblem)) throw problem;
      const place = `${this.#document.name}: ${schemas.map(({ pointer }) => pointer).join(' and ')}`;
      throw inputError(
        place,
        `strings or numbers: ${problem.message}`,
        'use a simpler pattern or smaller bounds',
      );
    }
  }
}
