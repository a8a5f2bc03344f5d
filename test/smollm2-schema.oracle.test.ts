/** A real model under a schema: whatever is drawn, the answer is JSON that an independent validator accepts. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, expect, test } from 'vitest';
import { bitmill } from './cli.ts';

const CACHE = process.env['BITMILL_TEST_CACHE'] ?? path.join(os.homedir(), '.cache', 'bitmill');
const MODEL = path.join(CACHE, 'smollm2.gguf');
const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-schema-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

const skip = existsSync(MODEL) ? undefined : `no model at ${MODEL}`;
if (skip) console.warn(`SmolLM2 under a schema skipped: ${skip}`);

/** Bounded in every part, so that the answer always fits the context. */
const PERSON = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 20 },
    age: { type: 'integer', minimum: 0, maximum: 120 },
    born: { type: 'string', format: 'date' },
    height: { type: 'number', exclusiveMinimum: 0, maximum: 2.5 },
    kind: { enum: ['cat', 'dog', 'human'] },
    tags: { type: 'array', items: { type: 'string', pattern: '^[a-z]{1,8}$' }, maxItems: 3 },
    friend: { anyOf: [{ $ref: '#/$defs/friend' }, { type: 'null' }] },
  },
  required: ['name', 'age', 'born', 'height', 'kind', 'tags', 'friend'],
  additionalProperties: false,
  $defs: {
    friend: {
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 10 },
        kind: { oneOf: [{ const: 'cat' }, { const: 'dog' }] },
      },
      required: ['name'],
      additionalProperties: false,
    },
  },
} as const;

test.skipIf(skip)(
  'writes JSON of a schema whatever the seed, at temperature 1',
  () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(PERSON);
    const schema = path.join(FOLDER, 'person.json');
    writeFileSync(schema, JSON.stringify(PERSON));
    const answers = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const prompt = ['run', '-t', '1', '-m', MODEL, '--raw', '-p', 'A person, as JSON: '];
      const options = [
        '--json-schema',
        schema,
        '--temperature',
        '1',
        '--seed',
        `${seed}`,
        '-c',
        '1024',
        '--json',
      ];
      const { code, stdout, stderr } = bitmill([...prompt, ...options]);
      expect(code, stderr).toBe(0);
      const { text, finish_reason } = JSON.parse(stdout);
      const person = JSON.parse(text);
      expect([finish_reason, text, validate(person)]).toEqual(['stop', text, true]);
      expect(new Date(person.born).toISOString().slice(0, 10)).toBe(person.born);
      answers.add(text);
    }
    expect(answers.size).toBeGreaterThan(15);
  },
  900_000,
);
