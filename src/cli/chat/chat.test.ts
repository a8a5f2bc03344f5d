import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { FinishReason } from '../../generate/index.ts';
import type { ChatMessage } from '../../text/index.ts';
import { type Answering, Chat } from './chat.ts';
import { complete, perform } from './commands.ts';

const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-chat-state-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

/** The chats that were asked, and how the answers end: each is its number. */
let asked: string[] = [];
let reasons: FinishReason[] = [];
let notes: string[] = [];
let shown = '';

/** A model whose context holds 40 characters. */
const model: Answering = {
  position: 12,
  contextSize: 40,
  prompt: (messages: readonly ChatMessage[]) => {
    const text = messages.map(({ role, content }) => `${role[0]}:${content}`).join(' ');
    if (text.length > 40) throw new Error('too long');
    asked.push(text);
    return { ids: new Int32Array(text.length), dropped: 0, cut: 0 };
  },
  async *answer(ids, { signal } = {}) {
    const reason = signal?.aborted ? 'aborted' : (reasons.shift() ?? 'stop');
    const text = signal?.aborted ? '' : String(asked.length);
    if (text) yield { id: 1, text };
    return { reason, tokens: text.length, text: '', promptTokens: ids.length, reusedTokens: 3 };
  },
};

let chat: Chat;
const note = (line: string) => void notes.push(line);
const say = (text: string, signal?: AbortSignal) =>
  perform({ kind: 'message', text }, { chat, note, exit: () => note('EXIT'), ...(signal && { signal }) });
const command = (line: string) => {
  const [, name, rest] = /^(\S+)\s*(.*)$/.exec(line) ?? [];
  return perform({ kind: 'command', name, rest }, { chat, note, exit: () => note('EXIT') });
};
const texts = () => chat.messages.map(({ content }) => content);

beforeEach(() => {
  asked = [];
  reasons = [];
  notes = [];
  shown = '';
  const view = {
    show: (text: string) => {
      shown += text;
    },
    end: () => {
      shown += '|';
    },
    note,
    reading: () => {},
  };
  chat = new Chat(model, { model: 'm.gguf', policy: 'error', stop: [] }, { temperature: 0.5 }, view);
});

describe('a chat', () => {
  test('grows by a message and its answer', async () => {
    await say('a');
    await say('b');
    expect(asked).toEqual(['u:a', 'u:a a:1 u:b']);
    expect(texts()).toEqual(['a', '1', 'b', '2']);
    expect([shown, notes]).toEqual(['1|2|', []]);
  });

  test('/retry answers anew, /undo takes back, /clear keeps the system message', async () => {
    await command('system Be short.');
    await say('a');
    await say('b');
    await command('retry');
    expect(texts()).toEqual(['Be short.', 'a', '1', 'b', '3']);
    await command('undo');
    expect(texts()).toEqual(['Be short.', 'a', '1']);
    await command('clear');
    expect(texts()).toEqual(['Be short.']);
    await command('system ""');
    expect([texts(), chat.system]).toEqual([[], undefined]);
    expect(notes).toEqual(['system: Be short.', 'taken back: b', 'a new chat', 'no system message']);
  });

  test('an answer that was stopped stays; one that had not begun takes its message along', async () => {
    reasons = ['aborted'];
    await say('a');
    expect(texts()).toEqual(['a', '1']);
    await say('b', AbortSignal.abort());
    expect(texts()).toEqual(['a', '1']);
    await command('retry');
    expect(texts()).toEqual(['a', '1', 'b', '3']);
    expect(notes).toEqual(['stopped; /retry answers anew', 'stopped before the answer; /retry asks again']);
  });

  test('a message that cannot be answered leaves the chat as it was, and is not lost', async () => {
    await say('a');
    const long = 'x'.repeat(35);
    await expect(say(long)).rejects.toThrow('too long');
    expect(texts()).toEqual(['a', '1']);
    await command('clear');
    await command('retry');
    expect(texts()).toEqual([long, '2']);
    await expect(say(long)).rejects.toThrow('too long');
    await command('undo');
    expect(texts()).toEqual([long, '2']);
  });

  test.each([
    ['length', 'stopped after 1 token (--tokens)'],
    ['context', 'the context of 40 positions is full: the answer ends here'],
  ] as const)('the end by %s is said', async (reason, line) => {
    reasons = [reason];
    await say('a');
    expect(notes).toEqual([line]);
  });

  test('comes back from a file, parameters and all', async () => {
    const file = path.join(FOLDER, 'c.json');
    await expect(command(`save ${file}`)).rejects.toThrow('nothing to save');
    await say('a');
    await command('params top-k 5');
    await command(`save ${file}`);
    await command('clear');
    await command('params top-k default');
    expect(chat.parameters).toEqual({ temperature: 0.5 });
    await command(`load ${file}`);
    expect([texts(), chat.parameters]).toEqual([['a', '1'], { temperature: 0.5, 'top-k': 5 }]);
    await expect(command('load')).rejects.toThrow('/load: which file?');
    expect(texts()).toEqual(['a', '1']);
  });

  test('tells when a loaded chat was held with another model, or ends with a question', () => {
    chat.restore({ model: 'other.gguf', messages: [{ role: 'user', content: 'a' }] }, 'c.json');
    expect(notes).toEqual([
      'c.json: 1 message',
      'it was held with "other.gguf"; here answers "m.gguf"',
      'the last message has no answer: /retry answers it',
    ]);
  });

  test('/stats, /params, /help and /exit', async () => {
    await command('stats');
    await say('a');
    await command('stats');
    await command('params');
    await command('help');
    await command('exit');
    const all = notes.join('\n');
    expect(all).toContain('context: 12 of 40 positions; chat: 0 messages; no answer yet');
    expect(all).toContain('last prompt: 3 tokens, 3 of them held already');
    expect(all).toMatch(/temperature +0\.5/);
    expect(all).toMatch(/\/undo +takes back the last message/);
    expect(notes.at(-1)).toBe('EXIT');
  });

  test.each([
    ['nonsense', '/nonsense is no command'],
    ['params heat 1', 'heat is no parameter'],
    ['params top-p 7', 'topP: 7 is not a number above 0 to 1'],
    ['params top-p', 'expected one value'],
    ['retry', 'there is no message to answer'],
    ['undo', 'there is no message to take back'],
  ])('/%s is an error of usage', async (line, message) => {
    await expect(command(line)).rejects.toThrow(message);
    await expect(command(line)).rejects.toThrow(expect.objectContaining({ kind: 'usage' }));
  });
});

test('a tab completes commands and parameters, and is a tab elsewhere', () => {
  expect(complete('/s')[0]).toEqual(['/system', '/save', '/stats']);
  expect(complete('/params top')[0]).toEqual(['/params top-k', '/params top-p', '/params top-n-sigma']);
  expect(complete('/save x')[0]).toEqual([]);
  expect(complete('if x:')[0]).toEqual(['if x:\t']);
});
