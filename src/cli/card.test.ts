/** Cards in folders: what is written, what a rebuild keeps and removes, what is missing, what is malformed. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { bitmill } from '../../test/cli.ts';
import { BitmillError } from '../core/index.ts';
import { writeImportanceMatrix } from '../imatrix/index.ts';
import type { QuantSet } from '../report/index.ts';
import { testSet } from '../report/set.cases.ts';
import { writeCard } from './card.ts';
import { parseSet } from './set-file.ts';

const root = mkdtempSync(path.join(tmpdir(), 'bitmill-card-'));
const original = path.join(root, 'original');
const ALL = ['errors', 'exam', 'imatrix', 'loss'].flatMap((name) => [
  `${name}-dark.svg`,
  `${name}-light.svg`,
  `${name}.png`,
]);

/** A small set: three types of three layers, with an importance matrix beside it. */
function smallSet(): QuantSet {
  const set = testSet();
  set.quants = [set.quants[3], set.quants[16], set.quants[25]].map((quant) => ({
    ...quant,
    errors: Object.fromEntries(
      Object.entries(quant.errors ?? {}).filter(([name]) => /^blk\.[0-2]\./.test(name)),
    ),
  }));
  return set;
}

function makeFolder(folder: string, set: QuantSet): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'bitmill.json'), JSON.stringify(set));
  const entries = new Map(
    [0, 1, 2].map((layer) => [
      `blk.${layer}.ffn_up.weight`,
      { sums: Float32Array.of(1, 2 + layer), counts: Float32Array.of(1) },
    ]),
  );
  const matrix = {
    name: 'm',
    form: 'gguf',
    entries,
    datasets: ['a.txt'],
    chunkCount: 1,
    chunkSize: 8,
  } as const;
  writeFileSync(path.join(folder, set.imatrix?.file.name ?? ''), writeImportanceMatrix(matrix, 'gguf'));
}

/** Its own copy of the folder with the finished card. */
function copy(name: string): string {
  const folder = path.join(root, name);
  cpSync(original, folder, { recursive: true });
  return folder;
}

const readme = (folder: string): string => readFileSync(path.join(folder, 'README.md'), 'utf8');
const images = (folder: string): string[] => readdirSync(path.join(folder, 'images')).sort();
const fail = (message: string): never => {
  throw new Error(`warned: ${message}`);
};

beforeAll(async () => {
  makeFolder(original, smallSet());
  await writeCard(original, smallSet(), fail);
  return () => rmSync(root, { recursive: true });
});

afterEach(() => {
  vi.doUnmock('vega');
});

test('all pictures are written as light and dark SVG and as PNG, and every one that the card names is there', () => {
  expect(images(original)).toEqual(ALL);
  const named = [...readme(original).matchAll(/(?:href|src|srcset)="([^"]*)"/g)].map(([, file]) => file);
  expect(named).toHaveLength(12);
  for (const file of named) expect(existsSync(path.join(original, file))).toBe(true);
  const [light, dark] = ['light', 'dark'].map((theme) =>
    readFileSync(path.join(original, `images/loss-${theme}.svg`), 'utf8'),
  );
  expect(light).toContain('fill="white"');
  expect(dark).toContain('fill="#0d1117"');
  expect(dark).not.toContain('fill="white"');
  for (const type of ['IQ2_XS', 'Q4_K_S', 'Q6_K']) expect(light).toContain(`>${type}</text>`);
});

test('the command rebuilds the same bytes from bitmill.json, and keeps what the publisher wrote', () => {
  const folder = copy('rebuilt');
  const before = new Map(
    images(folder).map((name) => [name, readFileSync(path.join(folder, 'images', name))]),
  );
  const { code, stdout } = bitmill(['card', folder, '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).pictures).toHaveLength(12);
  expect(readme(folder)).toBe(readme(original));
  for (const [name, bytes] of before) {
    expect(readFileSync(path.join(folder, 'images', name)).equals(bytes)).toBe(true);
  }
  const edited = readme(folder).replace('<!-- bitmill:notes -->', '<!-- bitmill:notes -->\nA note.');
  writeFileSync(path.join(folder, 'README.md'), edited);
  expect(bitmill(['card', folder]).code).toBe(0);
  expect(readme(folder)).toBe(edited);
  expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
});

test('pictures of an earlier card that has nothing to show any more are removed, files of others stay', async () => {
  const folder = copy('fewer');
  writeFileSync(path.join(folder, 'images/own.png'), 'x');
  const set = smallSet();
  set.quants = set.quants.map(({ exam: _, ...quant }) => quant);
  await writeCard(folder, set, fail);
  expect(images(folder)).toEqual([...ALL.filter((name) => !name.startsWith('exam')), 'own.png'].sort());
});

test('an importance matrix that is gone is a warning and one picture less', async () => {
  const folder = copy('no-matrix');
  rmSync(path.join(folder, smallSet().imatrix?.file.name ?? ''));
  const warnings: string[] = [];
  await writeCard(folder, smallSet(), (message) => void warnings.push(message));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('is not there: the card has no picture of the importance matrix');
  expect(readme(folder)).not.toContain('images/imatrix');
});

test('without the packages that draw, the card is written without pictures, and says what to install', async () => {
  vi.doMock('vega', () => {
    throw new Error("Cannot find package 'vega'");
  });
  const folder = path.join(root, 'no-vega');
  makeFolder(folder, smallSet());
  const warnings: string[] = [];
  await writeCard(folder, smallSet(), (message) => void warnings.push(message));
  expect(warnings).toEqual([
    'the card has no pictures: pictures need packages that are not installed: vega vega-lite (npm install vega vega-lite)',
  ]);
  expect(readme(folder)).not.toContain('<picture>');
  expect(readme(folder)).toContain('| **[IQ2\\_XS](');
  expect(existsSync(path.join(folder, 'images'))).toBe(false);
});

/** What a bitmill.json is refused with when the value at that place is another; undefined: when there is none. */
function refusal(place: readonly (string | number)[], value: unknown): string {
  const set: Record<PropertyKey, unknown> = JSON.parse(JSON.stringify(smallSet()));
  const parent = place.slice(0, -1).reduce((at, key) => at[key] as Record<PropertyKey, unknown>, set);
  parent[place[place.length - 1]] = value;
  try {
    parseSet(JSON.stringify(set), 'bitmill.json');
  } catch (error) {
    expect(error).toBeInstanceOf(BitmillError);
    return (error as BitmillError).message;
  }
  return 'accepted';
}

test.each([
  [['quants', 1, 'bytes'], -1, 'quants[1].bytes: Too small: expected number to be >=0; found -1'],
  [['model', 'name'], undefined, 'model.name: expected string; found nothing'],
  [
    ['quants', 0, 'files', 0, 'name'],
    '../x',
    'quants[0].files[0].name: is not a plain file name; found "../x"',
  ],
  [['version'], 2, 'version: expected 1; found 2'],
  [['quants', 0, 'errors', 'blk.0.a b'], 1, 'quants[0].errors["blk.0.a b"]: expected object; found 1'],
])('a malformed bitmill.json is refused with place, allowed and found: %j', (place, value, message) => {
  expect(refusal(place, value)).toBe(`bitmill.json: ${message}`);
});

test('what is no JSON or no set at all is refused, a good set is not', () => {
  expect(refusal(['bitmill'], '9.9.9')).toBe('accepted');
  expect(() => parseSet('{', 'x.json')).toThrow('x.json: is no JSON: ');
  expect(() => parseSet('[]', 'x.json')).toThrow('x.json: expected object; found []');
});

test('the command exits with 3 and one line where there is no set, or a malformed one', () => {
  const folder = copy('malformed');
  writeFileSync(path.join(folder, 'bitmill.json'), '{"version": 3}');
  const { code, stderr, stdout } = bitmill(['card', folder]);
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr.split('\n')[0]).toBe(
    `error: ${path.join(folder, 'bitmill.json')}: version: expected 1; found 3`,
  );
  expect(readme(folder)).toBe(readme(original));
  const none = bitmill(['card', path.join(root, 'nowhere')]);
  expect(none.code).toBe(3);
  expect(none.stderr).toContain(`${path.join(root, 'nowhere', 'bitmill.json')}: no such file or folder`);
});

test('a hostile model name writes nothing outside of the folder and stays text in pictures', async () => {
  const folder = path.join(root, 'hostile');
  const set = smallSet();
  set.model.name = '<script>alert(1)</script> "x" & `y`\n---\n../../z'.repeat(20);
  makeFolder(folder, set);
  await writeCard(folder, set, fail);
  expect(images(folder)).toEqual(ALL);
  const svg = readFileSync(path.join(folder, 'images/loss-light.svg'), 'utf8');
  expect(svg).not.toContain('<script');
  expect(svg).toContain('&lt;script&gt;');
});
