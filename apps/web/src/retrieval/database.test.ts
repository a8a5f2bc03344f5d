/** What is kept: files with their conversations, vectors so that no text is embedded twice. */
import 'fake-indexeddb/auto';
import { expect, test } from 'vitest';
import { Attachments } from './attachments.ts';
import { openFiles } from './database.ts';

const file = (name: string, text: string) => new File([text], name);

test('attached files are there again, in their order, each with its own conversation', async () => {
  const open = () => openFiles('again');
  const first = new Attachments(open);
  await first.add('one', [file('b.txt', 'second letter'), file('a.txt', 'first letter')]);
  await first.add('two', [file('c.txt', 'third')]);
  const later = new Attachments(open);
  expect((await later.ready('one')).map(({ name, text }) => [name, text])).toEqual([
    ['b.txt', 'second letter'],
    ['a.txt', 'first letter'],
  ]);
  await later.remove('one', (await later.ready('one'))[0].id);
  await later.keepOnly(new Set(['one']));
  const last = new Attachments(open);
  expect((await last.ready('one')).map(({ name }) => name)).toEqual(['a.txt']);
  expect(await last.ready('two')).toEqual([]);
});

test('what is not taken is told, the rest is taken', async () => {
  const attachments = new Attachments(() => openFiles('some'));
  await attachments.add('one', [file('a.txt', 'yes'), file('b.png', 'no'), file('c.txt', '')]);
  expect(attachments.of('one').value.map(({ name }) => name)).toEqual(['a.txt']);
  expect(attachments.problem.value).toMatch(/^b\.png is not taken: .* c\.txt is empty\.$/);
});

test('a browser that keeps nothing still takes files', async () => {
  const attachments = new Attachments(() => Promise.reject(new Error('forbidden')));
  await attachments.add('one', [file('a.txt', 'yes')]);
  expect((await attachments.ready('one')).map(({ text }) => text)).toEqual(['yes']);
});

test('each text is embedded once for each model', async () => {
  const database = await openFiles('vectors');
  const asked: string[] = [];
  const embed = async (texts: readonly string[]) => {
    asked.push(...texts);
    return texts.map((text) => Float32Array.of(text.length, 0));
  };
  const of = (model: string) => database.cached(model, embed);
  expect(await of('m')(['a', 'bb'])).toEqual([Float32Array.of(1, 0), Float32Array.of(2, 0)]);
  expect(await of('m')(['ccc', 'a', 'bb'])).toEqual([3, 1, 2].map((x) => Float32Array.of(x, 0)));
  expect(asked).toEqual(['a', 'bb', 'ccc']);
  await of('other')(['a']);
  expect(asked).toEqual(['a', 'bb', 'ccc', 'a']);
  database.close();
});
