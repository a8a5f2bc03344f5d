/** Conversations in JSON lines. */
import { expect, test } from 'vitest';
import { parseConversations } from './chats.ts';

const HELLO = [{ role: 'user', content: 'Hello' }];

test('a line is a list of messages, or an object with one; empty lines do not count', () => {
  const text = `${JSON.stringify(HELLO)}\n\n${JSON.stringify({ id: 7, messages: HELLO })}\r\n`;
  expect(parseConversations('c.jsonl', text)).toEqual([
    { place: 'c.jsonl:1', messages: HELLO },
    { place: 'c.jsonl:3', messages: HELLO },
  ]);
});

test.each([
  ['no JSON', '[]]', 'c.jsonl:2: is not JSON'],
  ['an empty list', '[]', 'c.jsonl:2: is no chat'],
  ['a number', '5', 'c.jsonl:2: is no chat'],
  ['a message without a role', '[{"content": "x"}]', 'c.jsonl:2: message 0: has no "role"'],
])('%s is an error at its line', (_, line, message) => {
  expect(() => parseConversations('c.jsonl', `${JSON.stringify(HELLO)}\n${line}`)).toThrow(message);
});

test('a file of empty lines holds no conversation', () => {
  expect(() => parseConversations('c.jsonl', '\n\n')).toThrow('c.jsonl: holds no conversation');
});
