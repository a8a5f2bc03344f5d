/** Whether a value that `enum` or `const` lists fits the rest of its schema: a value that does not never comes out. */
import type { SchemaDocument } from './expand.ts';
import { isArray, isObject, type Json } from './json.ts';
import { type Conjunction, itemSchemas, propertySchemas, type Shape, sameJson, typeOf } from './shape.ts';
import { fitsString } from './texts.ts';

export function fitsShape(document: SchemaDocument, shape: Shape, value: Json): boolean {
  if (!shape.types.has(typeOf(value))) return false;
  if (shape.values && !shape.values.some((one) => sameJson(one, value))) return false;
  if (typeof value === 'number') return fitsNumber(shape, value);
  if (typeof value === 'string') return fitsString(shape.string, value);
  if (isArray(value)) {
    const { least, most } = shape.array;
    const right = (item: Json, at: number) => fits(document, itemSchemas(shape.array, at), item);
    return value.length >= least && value.length <= most && value.every(right);
  }
  if (!isObject(value)) return true;
  const right = ([name, item]: [string, Json]) => fits(document, propertySchemas(shape.object, name), item);
  return (
    [...shape.object.required].every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(right)
  );
}

const fits = (document: SchemaDocument, schemas: Conjunction, value: Json): boolean =>
  schemas.length === 0 || document.expand(schemas).some((shape) => fitsShape(document, shape, value));

function fitsNumber({ number: { integer, minimum, maximum } }: Shape, value: number): boolean {
  if (integer && !Number.isInteger(value)) return false;
  if (minimum && (minimum.exclusive ? value <= minimum.value : value < minimum.value)) return false;
  return !maximum || (maximum.exclusive ? value < maximum.value : value <= maximum.value);
}
