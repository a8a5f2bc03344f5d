/** Conversations as files: what goes out comes in again, and what is wrong with a file is said. */
import { expect, test } from 'vitest';
import { answer, conversation, question } from '../testing/turns.ts';
import { fileNameOf, fromJson, toJson, toMarkdown } from './transfer.ts';
import { pathOf } from './tree.ts';

const CHAT = conversation('c', 'Mills', [
  question('q', '', 'Hi'),
  answer('a', 'q', 'Hello', { promptTokens: 3, completionTokens: 1 }),
  answer('b', 'q', 'Good day', { state: 'failed', failure: { message: 'It broke.' } }),
]);

function counter(): () => string {
  let next = 0;
  return () => `n${next++}`;
}

test('JSON brings all branches back, under new ids', () => {
  const [back] = fromJson(toJson([CHAT]), counter(), 5);
  expect(back.title).toBe('Mills');
  expect(back.tree.turns.map(({ id, parent, content }) => [id, parent, content])).toEqual([
    ['n0', '', 'Hi'],
    ['n1', 'n0', 'Hello'],
    ['n2', 'n0', 'Good day'],
  ]);
  expect(back.tree.chosen).toEqual({ '': 'n0', n0: 'n2' });
  expect(back.id).toBe('n3');
  expect(back.tree.turns[1]).toMatchObject({
    facts: { promptTokens: 3, completionTokens: 1, state: 'stop' },
  });
  expect(back.tree.turns[2]).toMatchObject({ facts: { failure: { message: 'It broke.' } } });
  expect(pathOf(back.tree)).toHaveLength(2);
});

test('Markdown has the path that is shown, the system prompt first', () => {
  const text = toMarkdown({ ...CHAT, setup: { ...CHAT.setup, system: 'Be brief.' } });
  expect(text).toBe(
    '# Mills\n\n## System prompt\n\nBe brief.\n\n## You\n\nHi\n\n## Answer (tiny)\n\nGood day\n',
  );
});

const wrap = (conversations: unknown) =>
  JSON.stringify({ format: 'bitmill-chat', version: 1, conversations });
const withTurns = (...turns: unknown[]) => wrap([{ tree: { turns } }]);

test.each([
  ['{', 'The file is not JSON.'],
  ['[]', 'The file is no export of this chat: "format" is not "bitmill-chat".'],
  ['{"format":"bitmill-chat","version":2}', 'The file has version 2; this page reads version 1.'],
  [wrap([]), 'The file has no conversations.'],
  [wrap([null]), "The file's conversation 1 has no turns."],
  [
    withTurns({ id: 'a', parent: 'b', role: 'user' }),
    "The file's conversation 1, turn 1 hangs on a turn that does not stand before it.",
  ],
  [withTurns({ parent: '', role: 'user' }), "The file's conversation 1, turn 1 has no id of its own."],
  [
    withTurns({ id: 'a', parent: '', role: 'root' }),
    'The file\'s conversation 1, turn 1 has the role "root"; user and assistant are known.',
  ],
])('%s is refused', (text, message) => {
  expect(() => fromJson(text, counter(), 5)).toThrow(message);
});

test('what is missing or odd in a file gets a plain value', () => {
  const [read] = fromJson(
    wrap([
      { title: 7, setup: 'x', tree: { turns: [{ id: 'a', parent: '', role: 'assistant' }], chosen: [] } },
    ]),
    counter(),
    5,
  );
  expect(read).toMatchObject({ title: 'Imported chat', created: 5, setup: { model: '', parameters: {} } });
  expect(read.tree.turns[0]).toMatchObject({ content: '', facts: { state: 'interrupted', model: '' } });
});

test('names of files are plain', () => {
  expect(fileNameOf('Über "Mühlen" / 2', 'md')).toBe('uber-muhlen-2.md');
  expect(fileNameOf('風車', 'json')).toBe('chat.json');
});
