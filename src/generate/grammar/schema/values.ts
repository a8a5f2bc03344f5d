/** Shapes as expressions: what may be written for a value, type by type. */
import { choice, type Expression, type GraphNode, NEVER, ruleOf, sequence, text } from '../expression.ts';
import { JSON_RULES, SPACE, spaced } from './json.ts';
import { numberBetween } from './numbers.ts';
import {
  type ArrayShape,
  type Conjunction,
  itemSchemas,
  type ObjectShape,
  propertySchemas,
  type Shape,
  type TypeName,
} from './shape.ts';
import { nameExcept, stringOf } from './texts.ts';

/** The rule of values that satisfy schemas; made when it is first asked for. */
export type RuleFor = (schemas: Conjunction) => Expression;

/** Before every item but the first. */
const COMMA = sequence(text(','), SPACE);

const WRITERS: Readonly<Record<TypeName, (shape: Shape, ruleFor: RuleFor) => Expression>> = {
  null: () => JSON_RULES.null,
  boolean: () => JSON_RULES.boolean,
  number: ({ number }) => {
    if (number.minimum || number.maximum) return numberBetween(number);
    return ruleOf(number.integer ? 'integer' : 'number');
  },
  string: ({ string }) => {
    const written = stringOf(string);
    return written === JSON_RULES.string ? ruleOf('string') : written;
  },
  array: ({ array }, ruleFor) =>
    array.parts.length > 0 || isCounted(array) ? arrayOf(array, ruleFor) : ruleOf('array'),
  object: ({ object }, ruleFor) =>
    object.parts.length + object.required.size > 0 ? objectOf(object, ruleFor) : ruleOf('object'),
};

const isCounted = ({ least, most }: ArrayShape): boolean => least > 0 || most < Number.POSITIVE_INFINITY;

/** @throws PatternProblem: numbers or strings of too many states. */
export function writtenValue(shape: Shape, ruleFor: RuleFor): Expression {
  return choice(...Array.from(shape.types, (type) => WRITERS[type](shape, ruleFor)));
}

/** Node n: n items are written. Behind the last that differs, the node leads to itself. */
function arrayOf(shape: ArrayShape, ruleFor: RuleFor): Expression {
  const { least, most, parts } = shape;
  const listed = Math.max(...parts.map(({ prefix }) => prefix.length), 0);
  const last = most === Number.POSITIVE_INFINITY ? Math.max(listed, least, 1) : most;
  const item = (at: number): Expression =>
    sequence(...(at > 0 ? [COMMA] : []), ruleFor(itemSchemas(shape, at)), SPACE);
  const nodes = Array.from({ length: last + 1 }, (_, at): GraphNode => {
    const to = at < last ? at + 1 : at;
    const goesOn = at < most;
    return { ends: at >= least, edges: goesOn ? [{ label: item(at), to }] : [] };
  });
  return sequence(text('['), SPACE, { kind: 'graph', nodes }, text(']'));
}

/**
 * Properties in the order in which the schemas list them, then the required ones that none lists, then others.
 * Nodes 2n and 2n+1: n properties are decided on, and none or some are written.
 */
function objectOf(shape: ObjectShape, ruleFor: RuleFor): Expression {
  const names = [
    ...new Set([...shape.parts.flatMap(({ properties }) => [...properties.keys()]), ...shape.required]),
  ];
  const pair = (name: Expression, schemas: Conjunction, first: boolean): Expression => {
    const written = sequence(spaced(name, text(':'), ruleFor(schemas)), SPACE);
    return first ? written : sequence(COMMA, written);
  };
  const nodes: GraphNode[] = [];
  names.forEach((name, n) => {
    const schemas = propertySchemas(shape, name);
    for (const written of [0, 1]) {
      const label = pair(text(JSON.stringify(name)), schemas, written === 0);
      const edges = [{ label, to: 2 * n + 3 }];
      if (!shape.required.has(name)) edges.push({ label: sequence(), to: 2 * n + 2 + written });
      nodes.push({ ends: false, edges });
    }
  });
  const others = propertySchemas(shape);
  const closed = others.some(({ value }) => value === false);
  const other = closed ? NEVER : nameExcept(names);
  for (const written of [0, 1]) {
    const label = pair(other, others, written === 0);
    nodes.push({ ends: true, edges: closed ? [] : [{ label, to: 2 * names.length + 1 }] });
  }
  return sequence(text('{'), SPACE, { kind: 'graph', nodes }, text('}'));
}
