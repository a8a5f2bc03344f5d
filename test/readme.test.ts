/** What the README promises is there: its commands exist, its recipe is a recipe, its links lead somewhere. */
import { existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { COMMANDS } from '../src/cli/commands/index.ts';
import { parseUserRecipe } from '../src/quantize/index.ts';

const ROOT = new URL('..', import.meta.url);
const readme = readFileSync(new URL('README.md', ROOT), 'utf8');

test('every command that the README names exists, and every command is named', () => {
  const existing = COMMANDS.map((define) => {
    const command = new Command();
    define(command);
    return command.name();
  });
  const named = new Set([...readme.matchAll(/bitmill ([a-z]+)\b/g)].map((match) => match[1]));
  for (const name of existing.filter((one) => one !== 'demo' && one !== 'merge'))
    expect(named).toContain(name);
  const prose = new Set(['does', 'takes', 'writes', 'and', 'is', 's']);
  for (const name of named) if (!prose.has(name)) expect(existing).toContain(name);
});

test('the recipe in the README is accepted', () => {
  const json = /```json\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const recipe = parseUserRecipe(json, 'README.md');
  expect(recipe.base).toBe('IQ2_M');
  expect(recipe.rules.map(({ type }) => type)).toEqual(['IQ3_S', 'Q4_K']);
});

test('links to files lead to files', () => {
  for (const [, target] of readme.matchAll(/\]\(([^)#:]+)\)/g))
    expect({ target, there: existsSync(new URL(target, ROOT)) }).toEqual({ target, there: true });
});
