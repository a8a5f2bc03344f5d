/**
 * What the Jinja interpreter computes with, seen from outside: its classes are not exported, but each value holds a
 * plain one that tells what it is. What is handed in is copied first, so that a template reaches nothing of ours.
 */
import * as jinja from '@huggingface/jinja';

/** The package's own types do not resolve under Node's rules; these say what is used of it. */
export interface Value {
  readonly type: string;
  readonly value: unknown;
  toString(): string;
}

/** A node of a program as data: what is not asked for by name is carried along. */
export interface Node {
  readonly type: string;
  readonly [name: string]: unknown;
}

/** Variables, and those of the scope around. */
export interface Scope {
  /** @throws the name is taken. */
  set(name: string, value: unknown): unknown;
}

// A bundler does resolve them: its view of the package is set aside, so that both are checked against ours.
const { Environment, Interpreter, parse, tokenize } = jinja as unknown as {
  readonly Environment: new () => Scope;
  readonly Interpreter: new (
    scope: Scope,
  ) => {
    run(program: Node): Value;
    evaluate(node: Node | undefined, scope: Scope): Value;
  };
  parse(tokens: readonly unknown[]): Node;
  tokenize(
    source: string,
    options: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean },
  ): readonly unknown[];
};

export { Environment, Interpreter, parse, tokenize };

/** A node that is done: it stands for its value. */
export const constant = (value: Value): Node => ({ type: 'Constant', value });

/** Each takes the plain value inside, so that it works on values and on what they are made of. */
export const textIn = (value: Value | undefined): string | undefined =>
  typeof value?.value === 'string' ? value.value : undefined;
export const listIn = (value: Value | undefined): readonly Value[] | undefined =>
  Array.isArray(value?.value) ? value.value : undefined;
export const numberIn = (value: Value | undefined): number | undefined =>
  typeof value?.value === 'number' ? value.value : undefined;
export const mapIn = (value: Value | undefined): ReadonlyMap<string, Value> | undefined =>
  value?.value instanceof Map ? value.value : undefined;

type Native = (args: readonly Value[], scope: Scope) => Value;

/** A function of the template's world. */
export interface FunctionValue extends Value {
  readonly value: Native;
}

export function isFunction(value: Value): value is FunctionValue {
  return typeof value.value === 'function';
}

/** The same function with something done before each call. */
export function calledAfter(inner: FunctionValue, before: (args: readonly Value[]) => void): FunctionValue {
  const Kind = inner.constructor as new (run: Native) => FunctionValue;
  return new Kind((args, scope) => {
    before(args);
    return inner.value(args, scope);
  });
}

/** Units of a value that is handed in, beside its characters. */
const UNITS = 64;

/** Lists inside lists, of what is handed in. */
const MAX_DEPTH = 64;

/**
 * A copy of data alone: texts, numbers, truth values, lists, and objects without a prototype.
 * @param spend hears of each text's length and of each value.
 * @throws anything else among them, or too many inside each other.
 */
export function plainCopy(value: unknown, spend: (units: number) => void, depth = 0): unknown {
  spend(typeof value === 'string' ? value.length + UNITS : UNITS);
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') {
    throw new Error(`a template is given data, no ${typeof value}`);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) throw new Error(`the messages nest deeper than ${MAX_DEPTH}`);
  if (Array.isArray(value)) return value.map((item) => plainCopy(item, spend, depth + 1));
  const copy: Record<string, unknown> = Object.create(null);
  for (const [name, item] of Object.entries(value)) {
    spend(name.length);
    copy[name] = plainCopy(item, spend, depth + 1);
  }
  return copy;
}
