import { describe, expect, it } from 'vitest';
import { matcher } from '../testing.cases.ts';
import { parseSchema, schemaGrammar } from './index.ts';
import type { Json } from './json.ts';

const accepts = (schema: unknown) => matcher(schemaGrammar(schema).grammar);
const warningsOf = (schema: unknown) => schemaGrammar(schema).warnings;

describe('a schema', () => {
  it.each<[string, unknown, readonly string[], readonly string[]]>([
    ['types', { type: ['integer', 'null'] }, ['0', '-12', 'null'], ['1.5', 'true', '"1"', '01', '1e2', '']],
    ['true', true, ['1.5e-7', '"\\u00e9\\/"', '[]', '[1,[2]]', '{"a":{}}'], ['[1,]', "'a'", '{a:1}', 'tru']],
    [
      'integers from -5 to 120',
      { type: 'integer', minimum: -5, maximum: 120 },
      ['-5', '0', '99', '120'],
      ['-6', '121', '1.0', '1000', '00'],
    ],
    [
      'integers above 9.5',
      { type: 'integer', exclusiveMinimum: 9.5 },
      ['10', '123456789012345678901'],
      ['9', '-10'],
    ],
    [
      'integers below -99',
      { type: 'integer', exclusiveMaximum: -99 },
      ['-100', '-1000'],
      ['-99', '-98', '0', '100'],
    ],
    [
      'numbers from 0 to 1',
      { type: 'number', minimum: 0, maximum: 1 },
      ['0', '0.5', '1', '1.00', '0.999'],
      ['1.01', '-0.1', '-0', '2'],
    ],
    ['numbers above 0', { type: 'number', exclusiveMinimum: 0 }, ['0.001', '7', '7.5'], ['0', '0.000', '-1']],
    [
      'numbers below 0.25',
      { type: 'number', exclusiveMaximum: 0.25 },
      ['0.24', '0', '-7.5', '0.2499'],
      ['0.25', '0.3', '1'],
    ],
    [
      'lengths in characters',
      { type: 'string', minLength: 2, maxLength: 3 },
      ['"ab"', '"😀é\\n"'],
      ['"a"', '"abcd"', '"😀"'],
    ],
    ['patterns, anywhere', { type: 'string', pattern: 'b+c' }, ['"bc"', '"abbcd"'], ['"bd"', '""']],
    [
      'patterns, anchored',
      { type: 'string', pattern: '^(a|b\\d)+$' },
      ['"a"', '"ab7a"'],
      ['"b"', '"xa"', '""'],
    ],
    [
      'pattern and length',
      { type: 'string', pattern: '^\\p{Lu}', maxLength: 2 },
      ['"A"', '"Éa"'],
      ['"a"', '"ABC"'],
    ],
    [
      'a quote and a backslash in a pattern',
      { type: 'string', pattern: '^["\\\\]{2}$' },
      ['"\\"\\\\"'],
      ['"\\""', '"a"'],
    ],
    [
      'dates in leap years',
      { type: 'string', format: 'date' },
      ['"2024-02-29"', '"2000-02-29"'],
      ['"2023-02-29"', '"1900-02-29"', '"2023-04-31"'],
    ],
    [
      'two formats of one',
      { allOf: [{ type: 'string', format: 'hostname' }, { pattern: '^a' }] },
      ['"a.de"'],
      ['"b.de"', '"a..de"'],
    ],
    [
      'enum and const',
      { enum: ['a', 1, null, [1, { b: 2 }]] },
      ['"a"', '1', 'null', '[1,{"b":2}]', '[ 1, {"b": 2} ]'],
      ['"b"', '[1]'],
    ],
    ['enum beside a type', { enum: ['a', 1, null], type: 'string', maxLength: 3 }, ['"a"'], ['1', 'null']],
    [
      'tuples',
      { type: 'array', prefixItems: [{ type: 'integer' }, { type: 'string' }], items: false },
      ['[]', '[1]', '[1,"a"]'],
      ['["a"]', '[1,"a",1]'],
    ],
    [
      'counts of items',
      { type: 'array', items: { type: 'boolean' }, minItems: 1, maxItems: 2 },
      ['[true]', '[true, false]', '[\n  true,\n  true\n]'],
      ['[]', '[true,true,true]', '[1]'],
    ],
    [
      'properties in their order, optional ones left out',
      {
        properties: { a: { type: 'integer' }, b: {}, c: {} },
        required: ['b'],
        type: 'object',
        additionalProperties: false,
      },
      ['{"b":1}', '{"a":1,"b":2,"c":3}', '{ "a": 1, "b": [] }'],
      ['{}', '{"a":1}', '{"b":1,"a":1}', '{"b":1,"d":1}', '{"b":1,}', '{,"b":1}', '{"b":1,"b":1}'],
    ],
    [
      'additional properties, which are never those that are listed',
      { type: 'object', properties: { ab: { type: 'integer' } }, additionalProperties: { type: 'string' } },
      ['{}', '{"ab":1}', '{"ab":1,"abc":"x","a":"y"}', '{"":"","😀":"z"}'],
      ['{"ab":"x"}', '{"a":1}', '{"ab":1,"ab":"x"}', '{"\\u0061b":"x"}'],
    ],
    [
      'required properties that are not listed',
      { type: 'object', required: ['x'] },
      ['{"x":1}', '{"x":1,"y":2}'],
      ['{}', '{"y":1}'],
    ],
    [
      'allOf of objects',
      {
        allOf: [
          { type: 'object', properties: { a: { minimum: 3 } } },
          { properties: { a: { type: 'integer', maximum: 4 } }, required: ['a'] },
        ],
      },
      ['{"a":3}', '{"a":4,"b":0}'],
      ['{"a":5}', '{"a":2}', '{}'],
    ],
    [
      'anyOf beside other keywords',
      { type: 'integer', anyOf: [{ maximum: 2 }, { minimum: 8 }] },
      ['2', '8', '-1'],
      ['3', '7'],
    ],
    ['nullable', { type: 'string', maxLength: 1, nullable: true }, ['null', '"a"'], ['"ab"', '1']],
    [
      'references, also to itself',
      {
        $ref: '#/$defs/tree',
        $defs: {
          tree: {
            type: 'object',
            properties: {
              left: { $ref: '#/$defs/tree' },
              'a/b~c%': { type: 'null' },
              again: { $ref: '#/$defs/tree/properties/a~1b~0c%25' },
            },
            additionalProperties: false,
          },
        },
      },
      ['{}', '{"left":{"left":{}}}', '{"a/b~c%":null,"again":null}'],
      ['{"left":1}', '{"again":1}', '{"right":{}}'],
    ],
    [
      'what can only go on for ever is left out',
      {
        type: 'object',
        properties: { a: { $ref: '#/$defs/x' } },
        $defs: { x: { type: 'object', properties: { y: { $ref: '#/$defs/x' } }, required: ['y'] } },
      },
      ['{}', '{"b":1}'],
      ['{"a":{}}', '{"a":'],
    ],
  ])('keeps to %s', (_, schema, right, wrong) => {
    const matches = accepts(schema);
    for (const text of right) expect([text, matches(text)]).toEqual([text, true]);
    for (const text of wrong) expect([text, matches(text)]).toEqual([text, false]);
  });

  it.each<[unknown, string]>([
    [{ type: 'text' }, 's: #/type: found "text", expected one of null, boolean'],
    [{ properties: { 'a/b': { not: {} } } }, 's: #/properties/a~1b/not: not is not supported'],
    [{ items: { if: {} } }, 's: #/items/if: if is not supported: conditions cannot be said'],
    [{ patternProperties: { a: {} } }, 's: #/patternProperties: patternProperties is not supported'],
    [{ multipleOf: 2 }, 's: #/multipleOf: multipleOf is not supported'],
    [{ uniqueItems: true }, 's: #/uniqueItems: uniqueItems is not supported'],
    [{ $ref: 'http://example.org/x' }, 's: #/$ref: $ref "http://example.org/x" is not supported'],
    [{ $ref: '#/$defs/none' }, 's: #/$ref: there is nothing at "#/$defs/none"'],
    [{ $ref: '#/constructor' }, 's: #/$ref: there is nothing at "#/constructor"'],
    [{ $ref: '#' }, 's: #: the schema refers to itself'],
    [{ anyOf: [{ $ref: '#' }, { type: 'null' }] }, 's: #: the schema refers to itself'],
    [{ pattern: '(?=a)b' }, 's: #/pattern: "(?=a)b": look-around cannot be followed'],
    [{ pattern: '(a)\\1' }, 'back references cannot be followed'],
    [{ pattern: '\\bword' }, '\\b (word boundary) cannot be followed'],
    [{ minLength: -1 }, 's: #/minLength: found -1, expected a whole number from 0'],
    [{ minItems: 10_001 }, 's: #/minItems: 10001; 10000 is allowed'],
    [{ required: 'a' }, 's: #/required: found "a", expected a list of names'],
    [{ allOf: [] }, 's: #/allOf: expected a list of schemas, at least one'],
    [{ properties: { a: 5 } }, 's: #/properties/a: found 5, expected a schema'],
    [7, 's: #: found 7, expected a schema'],
    [{ properties: { a: { $id: 'x' } } }, 's: #/properties/a/$id: a document inside the document'],
  ])('is refused by name: %j', (schema, message) => {
    expect(() => schemaGrammar(schema, 's')).toThrow(message);
  });

  it.each<[unknown]>([
    [false],
    [{ type: 'string', enum: [1, 2] }],
    [{ type: 'integer', minimum: 3, maximum: 2 }],
    [{ type: 'object', required: ['a'], additionalProperties: false }],
    [{ $ref: '#/$defs/x', $defs: { x: { type: 'array', items: { $ref: '#/$defs/x' }, minItems: 1 } } }],
  ])('that nothing satisfies is an error: %j', (schema) => {
    expect(() => accepts(schema)).toThrow('schema: no text at all matches');
  });

  it('says what it does not keep to, and what it takes for a mistake', () => {
    expect(warningsOf({ type: 'string', format: 'iri', titel: 'x', title: 'x', default: 3 })).toEqual([
      expect.stringMatching(/^schema: #\/format: format "iri" is not kept to; known are date, /),
      'schema: #/titel: is no keyword that is known; nothing is made of it',
    ]);
    expect(warningsOf({ type: 'string', maxLength: 20_000 })).toEqual([
      'schema: #/maxLength: 20000 is not kept to: only 10000 can be counted',
    ]);
  });

  it('says of oneOf that it is looser than it should be only where values may fit two schemas', () => {
    const shape = (kind: string) => ({
      type: 'object',
      properties: { kind: { const: kind } },
      required: ['kind'],
    });
    expect(warningsOf({ oneOf: [{ type: 'string' }, { type: 'integer' }, shape('a'), shape('b')] })).toEqual(
      [],
    );
    expect(warningsOf({ oneOf: [{ minimum: 3 }, { type: 'integer' }] })).toEqual([
      'schema: #/oneOf: is read as anyOf: a value that fits several of the schemas is not refused',
    ]);
  });

  it('that is no JSON is an error of its file', () => {
    expect(() => parseSchema('{"type": ', 'person.json')).toThrow(/^person.json: is no JSON: /);
  });

  it('has white space with an end', () => {
    const matches = accepts({ type: 'array', items: { type: 'integer' } });
    expect(
      [`[\n${' '.repeat(32)}1]`, `[\n${' '.repeat(33)}1]`, '[  1]', ' [1]', '[1] '].map(matches),
    ).toEqual([true, false, false, false, false]);
  });
});

describe('a hostile schema is refused, or bounded:', () => {
  const quick = (schema: unknown, work: (schema: unknown) => void): void => {
    const start = performance.now();
    work(schema);
    // Far above what it takes, far below what the blow-up would.
    expect(performance.now() - start).toBeLessThan(60_000);
  };
  const nested = (depth: number, wrap: (inside: Json) => Json): Json => {
    let schema: Json = { type: 'null' };
    for (let i = 0; i < depth; i++) schema = wrap(schema);
    return schema;
  };

  it.each<[string, unknown, string]>([
    [
      'allOf in allOf',
      nested(300, (inside) => ({ allOf: [inside] })),
      'more than 200 schemas inside each other',
    ],
    [
      'anyOf times anyOf',
      {
        allOf: Array.from({ length: 30 }, () => ({
          anyOf: [{ minimum: 1 }, { maxLength: 1 }, { maxItems: 1 }],
        })),
      },
      'alternatives when allOf and anyOf are multiplied out',
    ],
    [
      'a pattern of exponentially many states',
      { type: 'string', pattern: '^(a|b)*a(a|b){30}$' },
      'strings or numbers: ',
    ],
    ['a pattern of repetitions', { pattern: '((a{9999}){9999})' }, 'states'],
    ['brackets in a pattern', { pattern: '('.repeat(5000) }, 'more than 200 nested groups'],
    [
      'many properties',
      { properties: Object.fromEntries(Array.from({ length: 11_000 }, (_, i) => [`p${i}`, { minimum: i }])) },
      'needs more than 10000 states',
    ],
  ])('%s', (_, schema, message) => {
    quick(schema, (one) => expect(() => accepts(one)).toThrow(message));
  });

  it('thousands of items in items are followed', () => {
    const schema = nested(3000, (inside) => ({ type: 'array', items: inside, maxItems: 1 }));
    quick(schema, (one) => {
      const matches = accepts(one);
      expect(matches(`${'['.repeat(3000)}null${']'.repeat(3000)}`)).toBe(true);
      expect(matches(`${'['.repeat(3001)}${']'.repeat(3001)}`)).toBe(false);
    });
  });

  it('long strings and lists are counted', () => {
    quick({ type: 'array', items: { type: 'integer' }, minItems: 9999, maxItems: 10_000 }, (one) => {
      const matches = accepts(one);
      const list = (length: number) => JSON.stringify(Array.from({ length }, () => 1));
      expect([9998, 9999, 10_000, 10_001].map((length) => matches(list(length)))).toEqual([
        false,
        true,
        true,
        false,
      ]);
    });
    quick({ type: 'string', maxLength: 10_000 }, (one) => {
      const matches = accepts(one);
      expect([10_000, 10_001].map((length) => matches(JSON.stringify('é'.repeat(length))))).toEqual([
        true,
        false,
      ]);
    });
  });
});
