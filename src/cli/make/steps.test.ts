/** The journal of steps: what counts as done. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Executor, inlineExecutor } from '../../core/index.ts';
import { canonicalJson, StepJournal, stepKey } from './steps.ts';

const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-steps-'));
afterAll(() => rmSync(ROOT, { recursive: true }));

let folders = 0;

/** A folder with a file `out` of 5 bytes, and how its journal is opened. */
function workplace() {
  const folder = path.join(ROOT, String(folders++));
  const work = path.join(folder, 'work');
  mkdirSync(work, { recursive: true });
  const file = path.join(folder, 'out');
  writeFileSync(file, 'hello');
  let hashed = 0;
  const counting: Executor = {
    ...inlineExecutor,
    run: (job, input) => {
      hashed++;
      return inlineExecutor.run(job, input);
    },
  };
  return {
    ...{ folder, file, state: path.join(work, 'state.json') },
    open: () => StepJournal.open(folder, work, counting),
    hashed: () => hashed,
  };
}

const HELLO = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';

test('keys do not depend on the order in which objects name their parts', () => {
  expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: 'x' })).toBe('{"a":"x","b":[{"c":2,"d":1}]}');
  expect(stepKey('a', { x: 1, y: 2 })).toBe(stepKey('a', { y: 2, x: 1 }));
  expect(stepKey('a', 'b')).not.toBe(stepKey('ab'));
  expect(stepKey([1], 2)).not.toBe(stepKey(1, [2]));
});

test('a recorded step is done under its key, with its result, in the next process too', async () => {
  const { open } = workplace();
  const made = await (await open()).record('step', 'k', ['out'], { answer: 42 }, 1.5);
  expect(made.outputs).toEqual([{ name: 'out', bytes: 5, sha256: HELLO }]);
  const later = await open();
  expect((await later.standing('step', 'k'))?.result).toEqual({ answer: 42 });
  expect(later.secondsOf('step')).toBe(1.5);
  expect(await later.standing('step', 'other key')).toBeUndefined();
  expect(await later.standing('other step', 'k')).toBeUndefined();
});

test('a file is hashed once; touched, it is hashed again and the step still stands', async () => {
  const { open, file, hashed } = workplace();
  await (await open()).record('step', 'k', ['out'], null, 0);
  const later = await open();
  expect(await later.standing('step', 'k')).toBeDefined();
  expect(hashed()).toBe(1);
  utimesSync(file, 1e9, 1e9);
  expect(await later.standing('step', 'k')).toBeDefined();
  expect(hashed()).toBe(2);
});

test('a step whose file is gone, or has a flipped byte of the same length, is not done', async () => {
  const { open, file } = workplace();
  await (await open()).record('step', 'k', ['out'], null, 0);
  const { mtimeMs } = statSync(file);
  writeFileSync(file, 'hellp');
  utimesSync(file, mtimeMs / 1000 + 1, mtimeMs / 1000 + 1);
  expect(await (await open()).standing('step', 'k')).toBeUndefined();
  rmSync(file);
  expect(await (await open()).standing('step', 'k')).toBeUndefined();
});

test('a hash that is known is not computed', async () => {
  const { open, file, hashed } = workplace();
  const journal = await open();
  await journal.remember(file, HELLO);
  expect(await journal.fileOf(file)).toMatchObject({ bytes: 5, sha256: HELLO });
  expect(hashed()).toBe(0);
});

test.each([
  ['torn', (text: string) => text.slice(0, 40)],
  ['of another form', (text: string) => text.replace('"form": 1', '"form": 999')],
  ['with a step of another shape', (text: string) => text.replace('"key": "k"', '"key": 3')],
])('a state that is %s is forgotten', async (_, damage) => {
  const { open, state } = workplace();
  await (await open()).record('step', 'k', ['out'], null, 0);
  const text = readFileSync(state, 'utf8');
  writeFileSync(state, damage(text));
  expect(readFileSync(state, 'utf8')).not.toBe(text);
  expect((await open()).knows('step')).toBe(false);
});

test('steps that end at the same time are all recorded', async () => {
  const { open } = workplace();
  const journal = await open();
  const ids = Array.from({ length: 30 }, (_, i) => `step ${i}`);
  await Promise.all(ids.map((id) => journal.record(id, 'k', ['out'], id, 0)));
  const later = await open();
  for (const id of ids) expect((await later.standing(id, 'k'))?.result).toBe(id);
});
