/** What an answer must look like: a JSON schema or a grammar, as options of commands that generate. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { inputError, usageError } from '../core/index.ts';
import {
  type Constraint,
  type Grammar,
  type GrammarTokenizer,
  parseGbnf,
  parseSchema,
  TokenGrammar,
} from '../generate/index.ts';

export interface ConstraintFlags {
  readonly jsonSchema?: string;
  readonly grammar?: string;
}

export function addConstraintOptions(command: Command): Command {
  return command
    .option('--json-schema <file|text>', 'the answer is JSON of this schema')
    .option('--grammar <file>', 'the answer follows this grammar (GBNF)');
}

function read(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (problem) {
    const hint = option === '--json-schema' ? 'a schema given as text begins with {' : undefined;
    throw inputError(file, `${option}: cannot be read: ${(problem as Error).message}`, hint);
  }
}

function schemaOf(given: string): Grammar {
  const isText = /^\s*\{/.test(given);
  const text = isText ? given : read('--json-schema', given);
  const { grammar, warnings } = parseSchema(text, isText ? '--json-schema' : given);
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  return grammar;
}

/** Read before a model is: what is wrong with it is said at once. */
export function grammarOf({ jsonSchema, grammar }: ConstraintFlags): Grammar | undefined {
  if (jsonSchema !== undefined && grammar !== undefined) {
    throw usageError('--json-schema and --grammar: one of them');
  }
  if (jsonSchema !== undefined) return schemaOf(jsonSchema);
  return grammar === undefined ? undefined : parseGbnf(read('--grammar', grammar), grammar);
}

/** For one answer, in a form that options of a generation take. */
export function constraintOf(
  grammar: Grammar | undefined,
  tokenizer: GrammarTokenizer,
): { readonly constraint?: Constraint } {
  return grammar === undefined ? {} : { constraint: new TokenGrammar(grammar, tokenizer) };
}
