/** The keywords of JSON Schema: which are followed and how, which say nothing of values, which are refused and why. */
import { type BitmillError, inputError } from '../../../core/index.ts';
import { LIMITS } from '../limits.ts';
import { PatternProblem, patternMachine } from '../regular/index.ts';
import { FORMATS } from './formats.ts';
import { isArray, isObject, type Json, type JsonObject } from './json.ts';
import type { Bound } from './numbers.ts';
import { ANYTHING, type SchemaNode, type Shape, TYPES, type TypeName } from './shape.ts';

/** A keyword where it stands. */
export interface Place {
  /** For errors. */
  readonly name: string;
  readonly node: SchemaNode;
  readonly schema: JsonObject;
  readonly keyword: string;
  warn(message: string): void;
}

type Reader = (value: Json, place: Place) => Partial<Shape>;

/** JSON pointers escape `~` and `/`. */
export const pointerTo = (pointer: string, ...names: (string | number)[]): string =>
  [pointer, ...names.map((name) => String(name).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');

export function schemaError({ name, node, keyword }: Place, problem: string, hint?: string): BitmillError {
  return inputError(`${name}: ${pointerTo(node.pointer, keyword)}`, problem, hint);
}

const child = ({ node, keyword }: Place, value: Json, ...names: (string | number)[]): SchemaNode => ({
  value,
  pointer: pointerTo(node.pointer, keyword, ...names),
});

const shown = (value: Json): string => {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
};

function wrong(place: Place, value: Json, wanted: string): BitmillError {
  return schemaError(place, `found ${shown(value)}, expected ${wanted}`);
}

function count(value: Json, place: Place): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw wrong(place, value, 'a whole number from 0');
  }
  if (value > LIMITS.repetition) throw schemaError(place, `${value}; ${LIMITS.repetition} is allowed`);
  return value;
}

/** Without an effect where it is so large that no limit of ours reaches it. */
const ceiling = (value: Json, place: Place): number =>
  typeof value === 'number' && value > LIMITS.repetition && Number.isInteger(value)
    ? tooLarge(value, place)
    : count(value, place);

function tooLarge(value: number, place: Place): number {
  place.warn(`${value} is not kept to: only ${LIMITS.repetition} can be counted`);
  return Number.POSITIVE_INFINITY;
}

function finite(value: Json, place: Place): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(place, value, 'a number');
  return value;
}

function string(value: Json, place: Place): string {
  if (typeof value !== 'string') throw wrong(place, value, 'a string');
  return value;
}

function names(value: Json, place: Place): string[] {
  if (!isArray(value)) throw wrong(place, value, 'a list of names');
  return value.map((one) => string(one, place));
}

function types(value: Json, place: Place): Partial<Shape> {
  const known = [...TYPES, 'integer'];
  const list = isArray(value) ? value : [value];
  for (const one of list) {
    if (typeof one !== 'string' || !known.includes(one))
      throw wrong(place, one, `one of ${known.join(', ')}`);
  }
  const integer = list.includes('integer') && !list.includes('number');
  const all = new Set(list.map((one) => (one === 'integer' ? 'number' : one) as TypeName));
  return { types: all, number: { integer } };
}

/** `exclusiveMinimum: true` beside `minimum` is how draft 4 says it. */
function bound(value: Json, place: Place, side: 'minimum' | 'maximum', exclusive: boolean): Partial<Shape> {
  if (exclusive && typeof value === 'boolean') return {};
  const strict = place.schema[side === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum'] === true;
  const limit: Bound = { value: finite(value, place), exclusive: exclusive || strict };
  return { number: { integer: false, [side]: limit } };
}

const strings = (shape: Partial<Shape['string']>): Partial<Shape> => ({
  string: { ...ANYTHING.string, ...shape },
});

function pattern(value: Json, place: Place): Partial<Shape> {
  const source = string(value, place);
  try {
    patternMachine(source);
  } catch (problem) {
    if (problem instanceof PatternProblem) throw schemaError(place, `${shown(source)}: ${problem.message}`);
    throw problem;
  }
  return strings({ patterns: [source] });
}

function format(value: Json, place: Place): Partial<Shape> {
  const name = string(value, place);
  if (Object.hasOwn(FORMATS, name)) return strings({ formats: [name] });
  place.warn(`format "${name}" is not kept to; known are ${Object.keys(FORMATS).join(', ')}`);
  return {};
}

/** `items` as a list, and `additionalItems`, are how older drafts write `prefixItems` and `items`. */
function arrayPart(place: Place): Partial<Shape> {
  const { prefixItems, items, additionalItems } = place.schema;
  const at = (keyword: string) => ({ ...place, keyword });
  const listed = prefixItems !== undefined ? 'prefixItems' : isArray(items) ? 'items' : undefined;
  const rest = isArray(items) ? 'additionalItems' : 'items';
  const restValue = isArray(items) ? additionalItems : items;
  const prefix = listed === undefined ? [] : place.schema[listed];
  if (!isArray(prefix)) throw wrong(at('prefixItems'), prefix, 'a list of schemas');
  const part = {
    prefix: prefix.map((one, i) => child(at(listed ?? ''), one, i)),
    rest: restValue === undefined ? undefined : child(at(rest), restValue),
  };
  return { array: { ...ANYTHING.array, parts: [part] } };
}

function objectPart(place: Place): Partial<Shape> {
  const { properties = {}, additionalProperties } = place.schema;
  const at = (keyword: string) => ({ ...place, keyword });
  if (!isObject(properties)) throw wrong(at('properties'), properties, 'an object of schemas');
  const entries = Object.entries(properties);
  const part = {
    properties: new Map(entries.map(([name, one]) => [name, child(at('properties'), one, name)])),
    rest:
      additionalProperties === undefined
        ? undefined
        : child(at('additionalProperties'), additionalProperties),
  };
  return { object: { ...ANYTHING.object, parts: [part] } };
}

/** Keywords of single values. Those that belong together are read at the first of them. */
export const READERS: Readonly<Record<string, Reader>> = {
  type: types,
  enum: (value, place) => {
    if (!isArray(value)) throw wrong(place, value, 'a list of values');
    return { values: value };
  },
  const: (value) => ({ values: [value] }),
  minimum: (value, place) => bound(value, place, 'minimum', false),
  maximum: (value, place) => bound(value, place, 'maximum', false),
  exclusiveMinimum: (value, place) => bound(value, place, 'minimum', true),
  exclusiveMaximum: (value, place) => bound(value, place, 'maximum', true),
  minLength: (value, place) => strings({ least: count(value, place) }),
  maxLength: (value, place) => strings({ most: ceiling(value, place) }),
  pattern,
  format,
  minItems: (value, place) => ({ array: { ...ANYTHING.array, least: count(value, place) } }),
  maxItems: (value, place) => ({ array: { ...ANYTHING.array, most: ceiling(value, place) } }),
  prefixItems: (_, place) => arrayPart(place),
  items: (_, place) => (place.schema['prefixItems'] === undefined ? arrayPart(place) : {}),
  properties: (_, place) => objectPart(place),
  additionalProperties: (_, place) => (place.schema['properties'] === undefined ? objectPart(place) : {}),
  required: (value, place) => ({ object: { ...ANYTHING.object, required: new Set(names(value, place)) } }),
};

/** Say nothing of the value, or are read elsewhere. */
export const SILENT: ReadonlySet<string> = new Set([
  ...['title', 'description', 'default', 'examples', 'example', 'deprecated', 'readOnly', 'writeOnly'],
  ...[
    '$schema',
    '$comment',
    '$defs',
    'definitions',
    'additionalItems',
    'discriminator',
    'externalDocs',
    'xml',
  ],
  ...['contentEncoding', 'contentMediaType', 'contentSchema', '$vocabulary', '$anchor', '$id', 'strict'],
]);

const NOT_REGULAR = 'it would need a memory of what was written before';

/** Keywords that would change what is valid and are not followed, and why. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ['not', 'what a value is not cannot be said in a grammar'],
  ['if', 'conditions cannot be said in a grammar; write anyOf'],
  ['then', 'conditions cannot be said in a grammar; write anyOf'],
  ['else', 'conditions cannot be said in a grammar; write anyOf'],
  ['multipleOf', 'multiples are not counted'],
  ['uniqueItems', NOT_REGULAR],
  ['contains', NOT_REGULAR],
  ['minContains', NOT_REGULAR],
  ['maxContains', NOT_REGULAR],
  ['minProperties', NOT_REGULAR],
  ['maxProperties', NOT_REGULAR],
  ['patternProperties', 'names are followed where they are listed in properties'],
  ['propertyNames', 'names are followed where they are listed in properties'],
  ['dependentRequired', NOT_REGULAR],
  ['dependentSchemas', NOT_REGULAR],
  ['dependencies', NOT_REGULAR],
  ['unevaluatedItems', 'write items: false where the items are listed'],
  ['unevaluatedProperties', 'write additionalProperties: false where the properties are listed'],
  ['$dynamicRef', 'only $ref is followed'],
  ['$dynamicAnchor', 'only $ref is followed'],
  ['$recursiveRef', 'only $ref is followed'],
  ['$recursiveAnchor', 'only $ref is followed'],
  ['extends', 'write allOf'],
  ['disallow', 'what a value is not cannot be said in a grammar'],
  ['divisibleBy', 'multiples are not counted'],
]);

/** Values with which a refused keyword asks for nothing. */
export const HARMLESS: Readonly<Record<string, readonly Json[]>> = {
  uniqueItems: [false],
  minProperties: [0],
  unevaluatedItems: [true],
  unevaluatedProperties: [true],
  $recursiveAnchor: [false],
};
