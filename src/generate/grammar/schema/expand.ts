/** Schemas as lists of shapes: references looked up, `allOf` met, `anyOf` and `oneOf` multiplied out. */
import { inputError } from '../../../core/index.ts';
import { LIMITS } from '../limits.ts';
import { isArray, isObject, type Json, type JsonObject } from './json.ts';
import { HARMLESS, type Place, pointerTo, READERS, REFUSED, SILENT, schemaError } from './keywords.ts';
import { ANYTHING, type Conjunction, meet, propertySchemas, type SchemaNode, type Shape } from './shape.ts';

const NULL: Shape = { ...ANYTHING, types: new Set(['null']) };

/** A document of schemas: what it says, and what of it is not kept to. */
export class SchemaDocument {
  readonly name: string;
  readonly root: SchemaNode;
  readonly #warnings = new Set<string>();
  /** Places of oneOf that were looked at. */
  readonly #compared = new Set<string>();

  constructor(name: string, root: Json) {
    this.name = name;
    this.root = { value: root, pointer: '#' };
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  /** One of the shapes must fit. Without schemas: anything does. @throws input error: place, found, allowed. */
  expand(schemas: Conjunction): Shape[] {
    return this.#all(schemas, [ANYTHING], new Set(), 0);
  }

  /**
   * Schemas of which a value must fit one, where the schema says nothing but that; and the schema that a reference
   * means, where it is nothing but a reference. Rules for these are shared.
   */
  simple(node: SchemaNode): readonly SchemaNode[] | undefined {
    if (!isObject(node.value)) return undefined;
    const said = Object.keys(node.value).filter((keyword) => !SILENT.has(keyword));
    if (said.length !== 1) return undefined;
    const place = this.#place(node, node.value, said[0]);
    if (said[0] === '$ref') return [this.#target(place)];
    if (said[0] === 'anyOf' || said[0] === 'oneOf') {
      if (said[0] === 'oneOf') this.#looser(place);
      return this.#list(place);
    }
    return undefined;
  }

  #all(schemas: readonly SchemaNode[], shapes: readonly Shape[], open: ReadonlySet<string>, depth: number) {
    let met = [...shapes];
    for (const schema of schemas) met = this.#product(met, this.#shapes(schema, open, depth), schema);
    return met;
  }

  #product(a: readonly Shape[], b: readonly Shape[], node: SchemaNode): Shape[] {
    if (a.length * b.length > LIMITS.alternatives) {
      const problem = `${a.length * b.length} alternatives when allOf and anyOf are multiplied out`;
      throw inputError(`${this.name}: ${node.pointer}`, `${problem}; ${LIMITS.alternatives} are allowed`);
    }
    return a.flatMap((one) => b.flatMap((other) => meet(one, other) ?? []));
  }

  /** @param open schemas that this one is a part of without a value between. */
  #shapes(node: SchemaNode, open: ReadonlySet<string>, depth: number): Shape[] {
    const { value: schema, pointer } = node;
    const where = `${this.name}: ${pointer}`;
    if (open.has(pointer)) throw inputError(where, 'the schema refers to itself, with no value between');
    if (depth > LIMITS.nesting)
      throw inputError(where, `more than ${LIMITS.nesting} schemas inside each other`);
    if (typeof schema === 'boolean') return schema ? [ANYTHING] : [];
    if (!isObject(schema)) {
      throw inputError(where, `found ${JSON.stringify(schema)}, expected a schema: an object, true or false`);
    }
    const within = new Set([...open, pointer]);
    let shapes: Shape[] = [ANYTHING];
    for (const [keyword, value] of Object.entries(schema)) {
      const place = this.#place(node, schema, keyword);
      shapes = this.#product(shapes, this.#keyword(place, value, within, depth), node);
    }
    return schema['nullable'] === true ? [...shapes, NULL] : shapes;
  }

  #keyword(place: Place, value: Json, within: ReadonlySet<string>, depth: number): readonly Shape[] {
    const { keyword } = place;
    if (Object.hasOwn(READERS, keyword)) return [{ ...ANYTHING, ...READERS[keyword](value, place) }];
    if (keyword === '$ref') return this.#shapes(this.#target(place), within, depth + 1);
    if (keyword === 'allOf') return this.#all(this.#list(place), [ANYTHING], within, depth + 1);
    if (keyword === 'anyOf' || keyword === 'oneOf') {
      if (keyword === 'oneOf') this.#looser(place);
      return this.#list(place).flatMap((one) => this.#shapes(one, within, depth + 1));
    }
    if (keyword === '$id' && place.node.pointer !== '#') {
      throw schemaError(place, 'a document inside the document is not supported');
    }
    if (SILENT.has(keyword) || (keyword === 'nullable' && typeof value === 'boolean')) return [ANYTHING];
    const reason = REFUSED.get(keyword);
    if (reason === undefined) {
      place.warn('is no keyword that is known; nothing is made of it');
      return [ANYTHING];
    }
    const harmless: readonly Json[] = Object.hasOwn(HARMLESS, keyword) ? HARMLESS[keyword] : [];
    if (harmless.includes(value)) return [ANYTHING];
    throw schemaError(place, `${keyword} is not supported: ${reason}`);
  }

  /** oneOf is anyOf where no value fits two of the schemas; where one might, that is said once. */
  #looser(place: Place): void {
    const pointer = pointerTo(place.node.pointer, place.keyword);
    if (this.#compared.has(pointer)) return;
    this.#compared.add(pointer);
    const choices = this.#list(place).map((one) => this.expand([one]));
    const overlap = choices.some((a, i) =>
      choices.slice(i + 1).some((b) => a.some((one) => b.some((other) => this.#overlap(one, other)))),
    );
    if (overlap) place.warn('is read as anyOf: a value that fits several of the schemas is not refused');
  }

  /** Whether a value might fit both, as far as types, listed values and required properties tell. */
  #overlap(a: Shape, b: Shape): boolean {
    const shape = meet(a, b);
    if (!shape) return false;
    if (shape.types.size > 1 || !shape.types.has('object')) return true;
    return [...shape.object.required].every(
      (name) => this.expand(propertySchemas(shape.object, name)).length > 0,
    );
  }

  #list({ node, schema, keyword, ...place }: Place): SchemaNode[] {
    const list = schema[keyword];
    if (isArray(list) && list.length > 0) {
      return list.map((value, i) => ({ value, pointer: pointerTo(node.pointer, keyword, i) }));
    }
    throw schemaError({ node, schema, keyword, ...place }, 'expected a list of schemas, at least one');
  }

  #place(node: SchemaNode, schema: JsonObject, keyword: string): Place {
    const pointer = pointerTo(node.pointer, keyword);
    const warn = (message: string) => void this.#warnings.add(`${this.name}: ${pointer}: ${message}`);
    return { name: this.name, node, schema, keyword, warn };
  }

  /** Only references into the same document, by JSON pointer. */
  #target(place: Place): SchemaNode {
    const reference = place.schema['$ref'];
    const match = typeof reference === 'string' ? /^#((?:\/.*)?)$/s.exec(reference) : null;
    if (!match) {
      const found = `$ref ${JSON.stringify(reference)} is not supported`;
      throw schemaError(place, `${found}: only places in the same document are, as #/$defs/name`);
    }
    let node = this.root;
    for (const part of match[1].split('/').slice(1)) {
      const name = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
      const { value } = node;
      const next = isArray(value)
        ? value[Number(name)]
        : isObject(value) && Object.hasOwn(value, name)
          ? value[name]
          : undefined;
      if (next === undefined) throw schemaError(place, `there is nothing at ${JSON.stringify(reference)}`);
      node = { value: next, pointer: pointerTo(node.pointer, name) };
    }
    return node;
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
