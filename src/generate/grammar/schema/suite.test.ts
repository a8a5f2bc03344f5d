/**
 * The official JSON Schema Test Suite, as far as the schemas are supported. Its npm package has draft 4; a clone of the
 * whole suite (BITMILL_JSON_SCHEMA_SUITE=…/JSON-Schema-Test-Suite) adds draft 2020-12 and its formats.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { matcher } from '../testing.cases.ts';
import { schemaGrammar } from './index.ts';
import { isArray, isObject, type Json } from './json.ts';

interface Group {
  readonly description: string;
  readonly schema: Json;
  readonly tests: readonly { readonly description: string; readonly data: Json; readonly valid: boolean }[];
}

interface Tally {
  accepted: number;
  refused: number;
  /** Tests that say nothing of a grammar, by the reason. */
  readonly skipped: Map<string, number>;
}

const require = createRequire(import.meta.url);
const DRAFT_4 = path.join(path.dirname(require.resolve('json-schema-test-suite')), 'tests', 'draft4');
const CLONE = process.env['BITMILL_JSON_SCHEMA_SUITE'];
const DRAFT_2020 = CLONE === undefined ? undefined : path.join(CLONE, 'tests', 'draft2020-12');

const skip = (tally: Tally, reason: string): void => {
  tally.skipped.set(reason, (tally.skipped.get(reason) ?? 0) + 1);
};

/** Properties in the order in which the schema lists them, others behind: the order in which the grammar has them. */
function inOrder(schema: Json, value: Json): Json {
  if (isArray(value)) return value.map((one) => inOrder(schema, one));
  if (!isObject(value)) return value;
  const listed = [...JSON.stringify(schema).matchAll(/"((?:[^"\\]|\\.)*)":/g)].map(([, name]) =>
    JSON.parse(`"${name}"`),
  );
  const rank = (name: string): number => (listed.includes(name) ? listed.indexOf(name) : listed.length);
  const entries = Object.entries(value).sort(([a], [b]) => rank(a) - rank(b));
  return Object.fromEntries(entries.map(([name, one]) => [name, inOrder(schema, one)]));
}

/** Files that are not about what a grammar does. */
const ASIDE: Readonly<Record<string, string>> = {
  format: 'formats as mere annotations: here they are kept to',
  vocabulary: 'vocabularies that switch keywords off',
};

/** Why a valid instance is not expected to be accepted; undefined: it is. */
function unwritable(text: string, schema: string): string | undefined {
  if (/"format":/.test(schema)) return 'valid for its format, but never written';
  if (/[\d.]e[+-]?\d/.test(text) && /imum|integer/.test(schema)) {
    return 'integers and numbers with bounds have no exponent';
  }
  return undefined;
}

function check(group: Group, tally: Tally, where: string): void {
  let grammar: ReturnType<typeof schemaGrammar>;
  let matches: (text: string) => boolean;
  try {
    grammar = schemaGrammar(group.schema, where);
    matches = matcher(grammar.grammar);
  } catch (problem) {
    const { message } = problem as Error;
    if (/no text at all matches/.test(message)) {
      expect(
        group.tests.filter(({ valid }) => valid),
        `${where}: ${group.description}`,
      ).toEqual([]);
      tally.refused += group.tests.length;
      return;
    }
    const reason =
      /: (\$?\w+ is not supported|\$ref )|(document inside)|(refers to itself)|(cannot be followed)|("\^?.*: )/.exec(
        message,
      );
    expect(reason, `${where}: ${group.description}: ${message}`).not.toBeNull();
    for (const _ of group.tests) skip(tally, reason?.slice(1).find(Boolean) ?? message);
    return;
  }
  for (const { description, data, valid } of group.tests) {
    const text = JSON.stringify(inOrder(group.schema, data));
    const name = `${where}: ${group.description}: ${description}: ${text}`;
    const accepted = matches(text);
    if (valid) {
      const reason = accepted ? undefined : unwritable(text, JSON.stringify(group.schema));
      if (reason) skip(tally, reason);
      else {
        expect([name, accepted]).toEqual([name, true]);
        tally.accepted++;
      }
    } else if (accepted && grammar.warnings.length > 0) {
      skip(tally, grammar.warnings[0].replace(/^.*?: #\S*\/(\w+): /, '$1 '));
    } else {
      expect([name, accepted]).toEqual([name, false]);
      tally.refused++;
    }
  }
}

function runFile(file: string): Tally {
  const tally: Tally = { accepted: 0, refused: 0, skipped: new Map() };
  const groups = JSON.parse(readFileSync(file, 'utf8')) as Group[];
  const name = path.basename(file, '.json');
  const aside = file.includes('optional') ? undefined : ASIDE[name];
  for (const group of groups) {
    if (aside === undefined) check(group, tally, name);
    else for (const _ of group.tests) skip(tally, aside);
  }
  return tally;
}

/** The files that every validator must agree on, and those of formats. */
const filesOf = (folder: string): string[] => {
  const formats = path.join('optional', 'format');
  const inside = existsSync(path.join(folder, formats))
    ? readdirSync(path.join(folder, formats)).map((name) => path.join(formats, name))
    : [`${formats}.json`];
  return [...readdirSync(folder), ...inside].filter((name) => name.endsWith('.json'));
};

function report(title: string, tallies: readonly Tally[]): void {
  const sum = (value: (tally: Tally) => number): number =>
    tallies.reduce((all, tally) => all + value(tally), 0);
  const skipped = new Map<string, number>();
  for (const tally of tallies) {
    for (const [reason, count] of tally.skipped) skipped.set(reason, (skipped.get(reason) ?? 0) + count);
  }
  const lines = [...skipped]
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `  ${count} skipped: ${reason}`);
  const counts = `${sum(({ accepted }) => accepted)} accepted, ${sum(({ refused }) => refused)} refused`;
  console.info([`${title}: ${counts}`, ...lines].join('\n'));
}

describe.each([
  ['draft 4', DRAFT_4],
  ['draft 2020-12', DRAFT_2020],
])('the official suite of %s', (title, folder) => {
  if (folder === undefined || !existsSync(folder)) {
    it.skip('is not here: BITMILL_JSON_SCHEMA_SUITE names no clone of it', () => {});
    return;
  }
  const tallies: Tally[] = [];
  it.each(filesOf(folder))('agrees on %s', (file) => {
    tallies.push(runFile(path.join(folder, file)));
  });
  it('has much that is supported', () => {
    report(title, tallies);
    expect(tallies.reduce((all, { accepted, refused }) => all + accepted + refused, 0)).toBeGreaterThan(150);
  });
});
