/**
 * What a schema asks of a value, sorted by the type of the value. Every keyword concerns one type and lets the others
 * pass; a shape is all of them at once, and a schema becomes a list of shapes, one of which must fit.
 */
import type { Json, JsonObject } from './json.ts';
import type { Bound, NumberRange } from './numbers.ts';

export const TYPES = ['null', 'boolean', 'number', 'string', 'array', 'object'] as const;
export type TypeName = (typeof TYPES)[number];

/** A schema inside the document. */
export interface SchemaNode {
  readonly value: Json;
  /** `#/properties/a` */
  readonly pointer: string;
}

/** Schemas that a value must satisfy all at once, none twice. */
export type Conjunction = readonly SchemaNode[];

/** `prefixItems` and `items` of one schema. */
export interface ArrayPart {
  readonly prefix: readonly SchemaNode[];
  readonly rest: SchemaNode | undefined;
}

/** `properties` and `additionalProperties` of one schema. */
export interface ObjectPart {
  readonly properties: ReadonlyMap<string, SchemaNode>;
  readonly rest: SchemaNode | undefined;
}

interface Count {
  readonly least: number;
  readonly most: number;
}

export interface StringShape extends Count {
  readonly patterns: readonly string[];
  readonly formats: readonly string[];
}

export interface ArrayShape extends Count {
  readonly parts: readonly ArrayPart[];
}

export interface ObjectShape {
  readonly parts: readonly ObjectPart[];
  readonly required: ReadonlySet<string>;
}

export interface Shape {
  readonly types: ReadonlySet<TypeName>;
  readonly number: NumberRange;
  readonly string: StringShape;
  readonly array: ArrayShape;
  readonly object: ObjectShape;
  /** Of `enum` and `const`: the value is one of these, and fits the rest. */
  readonly values: readonly Json[] | undefined;
}

const anyCount: Count = { least: 0, most: Number.POSITIVE_INFINITY };

export const ANYTHING: Shape = {
  types: new Set(TYPES),
  number: { integer: false },
  string: { ...anyCount, patterns: [], formats: [] },
  array: { ...anyCount, parts: [] },
  object: { parts: [], required: new Set() },
  values: undefined,
};

const both = (a: Count, b: Count): Count => ({
  least: Math.max(a.least, b.least),
  most: Math.min(a.most, b.most),
});

/** The stricter of two bounds. @param sign 1: the larger value is stricter. */
function stricter(a: Bound | undefined, b: Bound | undefined, sign: 1 | -1): Bound | undefined {
  if (!a || !b) return a ?? b;
  if (a.value !== b.value) return (a.value - b.value) * sign > 0 ? a : b;
  return a.exclusive ? a : b;
}

/** What both ask for; undefined: nothing can be both. */
export function meet(a: Shape, b: Shape): Shape | undefined {
  const types = new Set([...a.types].filter((type) => b.types.has(type)));
  const values = a.values && b.values ? common(a.values, b.values) : (a.values ?? b.values);
  if (types.size === 0 || values?.length === 0) return undefined;
  return {
    types,
    number: {
      integer: a.number.integer || b.number.integer,
      minimum: stricter(a.number.minimum, b.number.minimum, 1),
      maximum: stricter(a.number.maximum, b.number.maximum, -1),
    },
    string: {
      ...both(a.string, b.string),
      patterns: [...new Set([...a.string.patterns, ...b.string.patterns])],
      formats: [...new Set([...a.string.formats, ...b.string.formats])],
    },
    array: { ...both(a.array, b.array), parts: [...a.array.parts, ...b.array.parts] },
    object: {
      parts: [...a.object.parts, ...b.object.parts],
      required: new Set([...a.object.required, ...b.object.required]),
    },
    values,
  };
}

const common = (a: readonly Json[], b: readonly Json[]): Json[] =>
  a.filter((one) => b.some((other) => sameJson(one, other)));

export function typeOf(value: Json): TypeName {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as TypeName;
}

/** Objects are equal whatever the order of their properties. */
export function sameJson(a: Json, b: Json): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_, one: Json) =>
    typeOf(one) === 'object' ? Object.fromEntries(Object.entries(one as JsonObject).sort(byName)) : one,
  );
}

const byName = ([a]: [string, Json], [b]: [string, Json]): number => (a < b ? -1 : 1);

/** Schemas in the order of their places, none twice. */
function conjunction(nodes: readonly (SchemaNode | undefined)[]): Conjunction {
  const byPointer = new Map(nodes.flatMap((node) => (node ? [[node.pointer, node] as const] : [])));
  return [...byPointer.values()].sort((a, b) => (a.pointer < b.pointer ? -1 : 1));
}

/** What the item at a position of an array must satisfy. */
export const itemSchemas = ({ parts }: ArrayShape, at: number): Conjunction =>
  conjunction(parts.map(({ prefix, rest }) => prefix[at] ?? rest));

/** What a property must satisfy; without a name: one that no part names. */
export const propertySchemas = ({ parts }: ObjectShape, name?: string): Conjunction =>
  conjunction(
    parts.map(({ properties, rest }) => (name === undefined ? rest : (properties.get(name) ?? rest))),
  );
