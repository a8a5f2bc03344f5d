import { describe, expect, test } from 'vitest';
import type { ChatMessage } from '../text/index.ts';
import { answerRoom, fitChat, type OverflowPolicy } from './index.ts';

const SYSTEM = { role: 'system', content: 'S' };
const user = (content: string) => ({ role: 'user', content });
const said = (content: string) => ({ role: 'assistant', content });

/** A token a character, by its code. */
const encode = (messages: readonly ChatMessage[]) =>
  Int32Array.from([...messages.map(({ content }) => content).join('')], (c) => c.codePointAt(0) ?? 0);

function shortened(
  messages: readonly ChatMessage[],
  policy: OverflowPolicy,
  contextSize: number,
  maxTokens = 1,
) {
  const { ids, dropped, cut } = fitChat(messages, encode, { policy, contextSize, maxTokens });
  return { text: String.fromCodePoint(...ids), dropped, cut };
}

/** 11 tokens. */
const CHAT = [SYSTEM, user('aa'), said('bbb'), user('cc'), said('d'), user('ee')];

describe('a chat that is longer than the context', () => {
  test('stays as it is where it fits', () => {
    for (const [policy, size] of [
      ['error', 11],
      ['shift', 12],
      ['truncate', 12],
    ] as const) {
      expect(shortened(CHAT, policy, size)).toEqual({ text: 'Saabbbccdee', dropped: 0, cut: 0 });
    }
  });

  test('error: says how long it is and what helps', () => {
    expect(() => shortened(CHAT, 'error', 10)).toThrow('the chat has 11 tokens; the context holds 10');
    expect(() => shortened(CHAT, 'error', 10)).toThrow(
      expect.objectContaining({ kind: 'resources', hint: expect.stringContaining('--on-overflow') }),
    );
  });

  test('shift: leaves out as few of the oldest turns as it can, never the system message', () => {
    expect(shortened(CHAT, 'shift', 11)).toEqual({ text: 'Sccdee', dropped: 2, cut: 0 });
    expect(shortened(CHAT, 'shift', 7)).toEqual({ text: 'Sccdee', dropped: 2, cut: 0 });
    expect(shortened(CHAT, 'shift', 6)).toEqual({ text: 'See', dropped: 4, cut: 0 });
    expect(shortened(CHAT.slice(1), 'shift', 6)).toEqual({ text: 'ccdee', dropped: 2, cut: 0 });
    expect(() => shortened(CHAT, 'shift', 3)).toThrow('the context holds 3, 1 of them for the answer');
    expect(() => shortened([SYSTEM], 'shift', 1)).toThrow('the chat has 1 tokens');
  });

  test('truncate: cuts the oldest text of the longest message, then of the next', () => {
    expect(shortened(CHAT, 'truncate', 11)).toEqual({ text: 'Saabbccdee', dropped: 0, cut: 1 });
    expect(shortened(CHAT, 'truncate', 8)).toEqual({ text: 'Saccdee', dropped: 0, cut: 4 });
    expect(shortened([SYSTEM, user('0123456789')], 'truncate', 5)).toEqual({
      text: 'S789',
      dropped: 0,
      cut: 7,
    });
    expect(() => shortened([{ ...SYSTEM, content: 'SSSSSS' }, user('a')], 'truncate', 4)).toThrow(
      'the chat has 7 tokens',
    );
  });

  test('truncate: does not cut a character in two', () => {
    const { text } = shortened([user('😀😀😀')], 'truncate', 3);
    expect(text).toBe('😀😀');
  });

  test('shift and truncate leave a quarter to the answer, or less where less is asked for', () => {
    expect([answerRoom(100), answerRoom(100, 7), answerRoom(100, 70), answerRoom(2, 0)]).toEqual([
      25, 7, 25, 1,
    ]);
  });
});
