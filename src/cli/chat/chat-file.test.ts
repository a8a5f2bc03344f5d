import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadChat, parseChat, saveChat } from './chat-file.ts';
import { HISTORY_LINES, openHistory } from './history.ts';

const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-chat-files-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

const HI = { role: 'user', content: 'Hi' } as const;

describe('a saved chat', () => {
  test('is a list of messages, or an object with more', () => {
    expect(parseChat('c.json', JSON.stringify([HI]))).toEqual({ messages: [HI] });
    const whole = { model: 'm.gguf', parameters: { temperature: 0.5, 'top-k': 40 }, messages: [HI] };
    expect(parseChat('c.json', JSON.stringify(whole, null, 2))).toEqual(whole);
    expect(parseChat('c.jsonl', `\n${JSON.stringify({ messages: [HI] })}\n`)).toEqual({ messages: [HI] });
  });

  test.each([
    ['{"messages": [', 'c.json'],
    ['5', 'c.json: is no chat'],
    ['[]', 'c.json: is no chat'],
    ['[{"content": "x"}]', 'c.json: message 0: has no "role"'],
    [
      '[{"role": "user", "content": "x"}, {"role": "tool", "content": "x"}]',
      'c.json: message 1: its role is "tool"',
    ],
    ['[{"role": "user"}]', 'c.json: message 0: its content is undefined'],
    ['[{"role": "user", "content": ["x"]}]', 'c.json: message 0: its content is a list'],
    ['[{"role":"user","content":"x"}]\n[{"role":"user","content":"x"}]', 'c.json: holds 2 conversations'],
    ['{"model": 5, "messages": [{"role":"user","content":"x"}]}', 'c.json: model: is no text'],
    ['{"parameters": [], "messages": [{"role":"user","content":"x"}]}', 'c.json: parameters: is no object'],
    [
      '{"parameters": {"heat": 1}, "messages": [{"role":"user","content":"x"}]}',
      'parameters: heat is no parameter',
    ],
    [
      '{"parameters": {"top-p": 2}, "messages": [{"role":"user","content":"x"}]}',
      'topP: 2 is not a number above 0 to 1',
    ],
    ['{"parameters": {"seed": "x"}, "messages": [{"role":"user","content":"x"}]}', '"seed": is no number'],
  ])('%s is an input error at its place', (text, message) => {
    expect(() => parseChat('c.json', text)).toThrow(message);
    expect(() => parseChat('c.json', text)).toThrow(expect.objectContaining({ kind: 'input' }));
  });

  test('comes back as it was saved, replaces another chat and nothing else', async () => {
    const file = path.join(FOLDER, 'chat.json');
    const chat = {
      model: 'm.gguf',
      parameters: { seed: 7 },
      messages: [HI, { ...HI, content: '\u001b[31m"\n' }],
    };
    await saveChat(file, { messages: [HI] });
    await saveChat(file, chat);
    expect(await loadChat(file)).toEqual(chat);
    const other = path.join(FOLDER, 'letter.txt');
    writeFileSync(other, 'Dear');
    await expect(saveChat(other, chat)).rejects.toThrow(
      'letter.txt: is there and is no chat: it is not replaced',
    );
    expect(readFileSync(other, 'utf8')).toBe('Dear');
    await expect(loadChat(path.join(FOLDER, 'none'))).rejects.toThrow('no such file');
  });
});

describe('the history', () => {
  const file = path.join(FOLDER, 'deep', 'history');
  const fail = (message: string) => expect.unreachable(message);

  test('is the user’s alone, newest first, without the same line twice in a row', () => {
    const history = openHistory(file, fail);
    for (const line of ['a', 'b', 'b', ' ', 'c']) history.add(line);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(openHistory(file, fail).lines).toEqual(['c', 'b', 'a']);
  });

  test('does not grow for ever', () => {
    writeFileSync(file, Array.from({ length: 2 * HISTORY_LINES + 1 }, (_, i) => `line ${i}\n`).join(''));
    expect(openHistory(file, fail).lines).toHaveLength(HISTORY_LINES);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(HISTORY_LINES + 1);
    expect(openHistory(file, fail).lines[0]).toBe(`line ${2 * HISTORY_LINES}`);
  });

  test('is done without where it cannot be kept, and that is said', () => {
    const warnings: string[] = [];
    const history = openHistory(path.join(file, 'below-a-file'), (message) => warnings.push(message));
    history.add('a');
    expect(history.lines).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('the history is not kept')]);
  });
});
