import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matcher } from '../testing.cases.ts';
import { schemaGrammar } from './index.ts';
import type { Json, JsonObject } from './json.ts';

const accepts = (schema: unknown) => matcher(schemaGrammar(schema).grammar);

/** Schemas of every supported keyword, and values that often fit. */
const small = fc.integer({ min: -3, max: 12 });
const word = fc.constantFrom('', 'a', 'ab', 'b"', 'é', '2024-01-05', 'aab', '😀\n');
const name = fc.constantFrom('a', 'b', 'ab', 'é"');
const scalar = fc.oneof(
  small,
  fc.constantFrom(0.5, -0.25, 2.75, 100, -17, 1e-3),
  word,
  fc.boolean(),
  fc.constant(null),
);
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true }).map((one) => one as JsonObject),
  ),
}));
const optionalKeys = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { requiredKeys: [] });
const { schema } = fc.letrec<{ schema: Json }>((tie) => {
  const list = fc.array(tie('schema'), { minLength: 1, maxLength: 3 });
  const type = fc.constantFrom('null', 'boolean', 'integer', 'number', 'string', 'array', 'object');
  const numbers = optionalKeys({
    minimum: small,
    maximum: small,
    exclusiveMinimum: small,
    exclusiveMaximum: fc.constantFrom(1.5, 2.75, 7),
  });
  const strings = optionalKeys({
    minLength: fc.nat(2),
    maxLength: fc.integer({ min: 1, max: 4 }),
    pattern: fc.constantFrom('^a', 'b$', 'a+b?', '^[^é]*$', '"|^$', '\\n'),
  });
  const arrays = optionalKeys({
    prefixItems: list,
    items: tie('schema'),
    minItems: fc.nat(2),
    maxItems: fc.nat(3),
  });
  const properties = fc.dictionary(name, tie('schema'), { maxKeys: 3, noNullPrototype: true });
  const objects = optionalKeys({
    properties,
    additionalProperties: tie('schema'),
    required: fc.uniqueArray(name, { maxLength: 2 }),
  });
  const groups = [
    optionalKeys({ type: fc.oneof(type, fc.uniqueArray(type, { minLength: 1, maxLength: 3 })) }),
    numbers,
    strings,
    arrays,
    objects,
    optionalKeys({
      enum: fc.array(
        tie('schema').chain(() => value),
        { minLength: 1, maxLength: 4 },
      ),
    }),
    fc.oneof(
      list.map((allOf) => ({ allOf })),
      list.map((anyOf) => ({ anyOf })),
      fc.constantFrom({ $ref: '#/$defs/d' }, {}),
    ),
  ] as fc.Arbitrary<object>[];
  return {
    schema: fc.oneof(
      { depthSize: 'small' },
      fc.boolean(),
      fc
        .subarray(groups, { minLength: 1, maxLength: 3 })
        .chain((chosen) => fc.tuple(...chosen).map((parts) => Object.assign({}, ...parts) as Json)),
    ),
  };
});

/** Every order of the properties of an object, and of the objects in it: one of them is the grammar's. */
function* orders(one: Json): Generator<string> {
  if (typeof one !== 'object' || one === null) yield JSON.stringify(one);
  else if (Array.isArray(one)) yield* joined(one.map((item) => [...orders(item)])).map((all) => `[${all}]`);
  else {
    const entries = Object.entries(one).map(([key, item]) =>
      [...orders(item)].map((text) => `${JSON.stringify(key)}:${text}`),
    );
    for (const order of permutations(entries)) yield* joined(order).map((all) => `{${all}}`);
  }
}
const joined = (parts: string[][]): string[] =>
  parts.reduce<string[]>(
    (all, part) => all.flatMap((one) => part.map((next) => (one === '' ? next : `${one},${next}`))),
    [''],
  );
const permutations = <T>(all: readonly T[]): T[][] =>
  all.length === 0
    ? [[]]
    : all.flatMap((one, i) => permutations(all.filter((_, j) => j !== i)).map((rest) => [one, ...rest]));

describe('random schemas', () => {
  it('accept in some order of properties what ajv accepts, and in none what it refuses', () => {
    const ajv = new Ajv2020({ strict: false, unicodeRegExp: true });
    let [valid, invalid] = [0, 0];
    fc.assert(
      fc.property(
        schema,
        schema,
        fc.array(value, { minLength: 8, maxLength: 16 }),
        (one, definition, values) => {
          const whole = typeof one === 'boolean' ? one : { ...(one as JsonObject), $defs: { d: definition } };
          let matches: (text: string) => boolean;
          try {
            matches = accepts(whole);
          } catch (problem) {
            const { message } = problem as Error;
            if (/refers to itself|multiplied out/.test(message)) return;
            expect(message).toMatch('no text at all matches');
            matches = () => false;
          }
          const validate = ajv.compile(whole);
          for (const instance of values) {
            const texts = [...orders(instance)];
            const expected = validate(instance);
            expect([JSON.stringify(instance), texts.some(matches)]).toEqual([
              JSON.stringify(instance),
              expected,
            ]);
            if (expected) valid++;
            else invalid++;
          }
          ajv.removeSchema();
        },
      ),
      { numRuns: 200 },
    );
    expect(valid).toBeGreaterThan(500);
    expect(invalid).toBeGreaterThan(500);
  });

  it('keep numbers between bounds, to the digit', () => {
    const decimal = fc
      .tuple(fc.integer({ min: -2500, max: 2500 }), fc.constantFrom(1, 10, 100, 1000))
      .map(([n, d]) => n / d);
    const numbers = fc.oneof(
      decimal,
      fc.integer({ min: -30, max: 30 }),
      fc.constantFrom(0, 1e-7, 123_456_789, -99.5),
    );
    fc.assert(
      fc.property(
        numbers,
        numbers,
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        fc.array(numbers, { minLength: 10 }),
        (a, b, integer, openLow, openHigh, all) => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          let matches: (text: string) => boolean;
          try {
            matches = accepts({
              type: integer ? 'integer' : 'number',
              [openLow ? 'exclusiveMinimum' : 'minimum']: low,
              [openHigh ? 'exclusiveMaximum' : 'maximum']: high,
            });
          } catch {
            matches = () => false;
          }
          for (const x of [...all, a, b, (a + b) / 2, Math.round(low), Math.round(high)]) {
            const text = String(x);
            if (text.includes('e') || Object.is(x, -0) || text.length > 12) continue;
            const inside = (openLow ? x > low : x >= low) && (openHigh ? x < high : x <= high);
            expect([low, high, text, matches(text)]).toEqual([
              low,
              high,
              text,
              inside && (!integer || Number.isInteger(x)),
            ]);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
