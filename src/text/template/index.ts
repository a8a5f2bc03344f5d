/**
 * Jinja, as chat templates need it: programs from outside, run within bounds. Time and memory are bounded by counting
 * (`Meter`), in any runtime and on any thread; nothing of the host can be reached. The only door of the folder.
 */
import { BoundedInterpreter } from './interpreter.ts';
import { Meter } from './meter.ts';
import { Environment, type Node, parse, plainCopy, tokenize } from './values.ts';

/** Longest template; those that models ship have at most some 40,000 characters. */
const MAX_TEMPLATE = 1 << 18;

/** White space in a row: the lexer looks at what is left of it from each place. */
const MAX_SPACE = 300;

/** Largest range() in a template: loops run over messages, not over numbers. */
const MAX_RANGE = 100_000;

/** What templates may call. The date is not among it: the same chat is the same text on every day. */
const GLOBALS = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
} as const;

const FUNCTIONS = {
  range: boundedRange,
  raise_exception: (message: unknown) => {
    throw new Error(typeof message === 'string' ? message : 'it raises an exception');
  },
} as const;

function boundedRange(...bounds: readonly unknown[]): number[] {
  const whole = bounds.filter((bound): bound is number => Number.isSafeInteger(bound));
  if (whole.length !== bounds.length || whole.length === 0 || whole.length > 3 || whole[2] === 0) {
    throw new Error('range() takes one to three whole numbers, the third of them not 0');
  }
  const [start, stop, step = 1] = whole.length > 1 ? whole : [0, ...whole];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length <= MAX_RANGE) return Array.from({ length }, (_, i) => start + i * step);
  throw new Error(`range(${whole.join(', ')}): at most ${MAX_RANGE} numbers are made`);
}

export interface Template {
  readonly program: Node;
  /** Tokens: no part of the program is larger. */
  readonly size: number;
}

/** @throws it is too long, or does not parse. */
export function parseTemplate(source: string): Template {
  if (source.length > MAX_TEMPLATE) {
    throw new Error(`it has ${source.length} characters; at most ${MAX_TEMPLATE} are read`);
  }
  if (new RegExp(`\\s{${MAX_SPACE + 1}}`).test(source)) {
    throw new Error(`more than ${MAX_SPACE} characters of white space stand in a row`);
  }
  // Jinja's own settings for chat templates: a block's line break and indentation are not part of the text.
  const tokens = tokenize(source, { lstrip_blocks: true, trim_blocks: true });
  return { program: parse(tokens), size: tokens.length };
}

/** @param variables data alone; it is copied. @throws the template refuses them, or costs too much. */
export function runTemplate(
  { program, size }: Template,
  variables: Readonly<Record<string, unknown>>,
): string {
  const environment = new Environment();
  const meter = new Meter();
  for (const [name, value] of Object.entries({ ...GLOBALS, ...variables })) {
    environment.set(name, plainCopy(value, meter.takeIn));
  }
  for (const [name, run] of Object.entries(FUNCTIONS)) {
    if (!Object.hasOwn(variables, name)) environment.set(name, run);
  }
  return String(new BoundedInterpreter(environment, meter, size).run(program).value);
}

/** Children that are names of something else: a field, a filter, a test, an argument. */
const NAMES: Readonly<Record<string, (node: Node) => unknown[]>> = {
  MemberExpression: ({ object, property, computed }) => (computed ? [object, property] : [object]),
  FilterExpression: ({ operand, filter }) => [operand, (filter as Node).args],
  FilterStatement: ({ body, filter }) => [body, (filter as Node).args],
  TestExpression: ({ operand }) => [operand],
  KeywordArgumentExpression: ({ value }) => [value],
};

/** Whether a template looks at a variable. */
export function usesVariable({ program }: Template, name: string): boolean {
  const open: unknown[] = [program];
  while (open.length > 0) {
    const item = open.pop();
    if (item instanceof Map) open.push(...item.keys(), ...item.values());
    else if (Array.isArray(item)) for (const one of item) open.push(one);
    else if (typeof item === 'object' && item !== null) {
      const node = item as Node;
      if (node.type === 'Identifier' && node.value === name) return true;
      const children = Object.hasOwn(NAMES, node.type) ? NAMES[node.type](node) : Object.values(node);
      for (const child of children) open.push(child);
    }
  }
  return false;
}
