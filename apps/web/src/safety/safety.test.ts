/** Checks of words, of hosts, of several at once; and answers that stop where a check says so. */
import { describe, expect, test } from 'vitest';
import { afterAnswer, beforeSend, type Outgoing } from '../extensions.ts';
import type { Message } from '../provider.ts';
import { scriptedProvider } from '../testing/scripted.ts';
import { allOf, type SafetyCheck } from './check.ts';
import { safetyExtension } from './extension.ts';
import { guarded } from './guard.ts';
import { hostCheck } from './host.ts';
import { warningsOf } from './notes.ts';
import { patternCheck } from './patterns.ts';
import { OFF, openSafetySettings } from './settings.ts';

const signal = new AbortController().signal;
const ask = (content: string): Message[] => [{ role: 'user', content }];

const words = (patterns: string, action: 'warn' | 'block' = 'block'): SafetyCheck => {
  const check = patternCheck({ patterns, action });
  if (!check) throw new Error('no patterns');
  return check;
};

describe('words', () => {
  test('match whole, in any case and form, across white space', async () => {
    const check = words('bomb\nsecret plan\n# a remark\n\npoison*');
    const kind = async (text: string) => (await check.input?.(ask(text), signal))?.kind;
    expect(await kind('How to build a BOMB?')).toBe('block');
    expect(await kind('A secret\n  plan.')).toBe('block');
    expect(await kind('Poisonous')).toBe('block');
    expect(await kind('ｂｏｍｂ')).toBe('block');
    expect(await kind('a bombastic remark, secretly planned')).toBe('allow');
  });

  test('in an answer that grows, the last word may become another one', async () => {
    const check = words('bomb');
    const kind = async (text: string, whole: boolean) => (await check.output?.(text, whole, signal))?.kind;
    expect(await kind('a bomb', false)).toBe('allow');
    expect(await kind('a bomb', true)).toBe('block');
    expect(await kind('a bomb ', false)).toBe('block');
  });

  test('are plain text, not expressions; none is no check', async () => {
    const verdict = await words('a.c (x) [y]').input?.(ask('abc'), signal);
    expect(verdict).toEqual({ kind: 'allow' });
    expect(await words('c++').input?.(ask('I like c++ a lot'), signal)).toMatchObject({ kind: 'block' });
    expect(patternCheck({ patterns: ' \n# nothing', action: 'warn' })).toBeUndefined();
  });
});

test('of several checks the worst verdict counts, and one that fails blocks', async () => {
  const all = allOf([words('grey', 'warn'), words('black'), { name: 'deaf', holdBack: 7, every: 20 }]);
  expect(await all?.input?.(ask('white'), signal)).toEqual({ kind: 'allow' });
  expect(await all?.input?.(ask('grey'), signal)).toMatchObject({ kind: 'warn' });
  expect(await all?.input?.(ask('grey and black'), signal)).toMatchObject({ kind: 'block' });
  expect([all?.holdBack, all?.every]).toEqual([7, 1]);
  const broken = allOf([{ name: 'service', input: () => Promise.reject(new Error('no answer')) }]);
  expect(await broken?.input?.(ask('hi'), signal)).toEqual({
    kind: 'block',
    reason: 'The safety check service failed, so nothing passes: no answer',
  });
  expect(allOf([])).toBeUndefined();
});

describe('an answer', () => {
  const read = async (pieces: readonly string[], check: SafetyCheck) => {
    const provider = scriptedProvider([{ pieces }]);
    const shown: string[] = [];
    let failure = '';
    try {
      const stream = guarded(provider, check).chat({
        model: 'm',
        messages: ask('Hi'),
        parameters: {},
        signal,
      });
      for await (const { text } of stream) shown.push(text);
    } catch (error) {
      failure = String(error);
    }
    return { shown: shown.join(''), failure, stopped: provider.requests[0]?.signal.aborted };
  };

  test('that is allowed comes whole', async () => {
    expect((await read(['All ', 'is ', 'well.'], words('bomb'))).shown).toBe('All is well.');
  });

  test('that is blocked ends there; nothing of the word was shown, and the model stops', async () => {
    const { shown, failure, stopped } = await read(['First ', 'a bo', 'mb', ' then ', 'more'], words('bomb'));
    expect(shown).toBe('First ');
    expect(failure).toContain('The answer contains “bomb”');
    expect(stopped).toBe(true);
  });

  test('is held back while a slow check looks, and looked at again only after enough', async () => {
    const looked: string[] = [];
    const output = async (text: string) => {
      looked.push(text);
      return { kind: 'allow' } as const;
    };
    expect((await read(['12', '34', '56', '7'], { name: 'slow', output, every: 4 })).shown).toBe('1234567');
    expect(looked).toEqual(['1234', '1234567']);
  });
});

describe('in the chat', () => {
  const outgoing = (pieces: readonly string[]): Outgoing => ({
    conversation: 'c',
    question: 'Hi',
    messages: ask('Hi'),
    model: 'm',
    provider: scriptedProvider([{ pieces }]),
    signal,
    notes: {},
  });
  const through = async (pieces: readonly string[], check: SafetyCheck) => {
    const extension = safetyExtension(async () => check);
    const sent = await beforeSend(outgoing(pieces), [extension]);
    if ('refused' in sent) return sent;
    let text = '';
    for await (const delta of sent.provider.chat({ ...sent, parameters: {} })) text += delta.text;
    return afterAnswer({ outgoing: sent, text, notes: sent.notes }, [extension]);
  };

  test('a question that is blocked does not go out', async () => {
    expect(await through(['Hello'], words('hi'))).toEqual({
      refused: "What was asked contains “hi”, which is on this page's list.",
    });
  });

  test('an answer that is blocked is withheld, one with a warning bears it', async () => {
    expect(await through(['a bomb'], words('bomb'))).toMatchObject({
      refused: expect.stringContaining('bomb'),
    });
    const warned = await through(['a bomb'], words('bomb', 'warn'));
    expect('notes' in warned && warningsOf(warned.notes)).toEqual([
      "The answer contains “bomb”, which is on this page's list.",
    ]);
    expect(warned).toMatchObject({ text: 'a bomb' });
  });

  test('with no check nothing changes', async () => {
    const sent = outgoing(['a']);
    expect(await beforeSend(sent, [safetyExtension(async () => undefined)])).toBe(sent);
  });
});

describe("a host's own check", () => {
  const page = (content: string | undefined) => ({
    baseURI: 'https://host.example/chat/',
    querySelector: () =>
      content === undefined ? null : ({ getAttribute: () => content } as unknown as Element),
  });

  test('is a module of the own site', async () => {
    const asked: string[] = [];
    const load = async (address: string) => {
      asked.push(address);
      return { default: words('bomb') };
    };
    const check = await hostCheck(page('./check.js'), load);
    expect(asked).toEqual(['https://host.example/chat/check.js']);
    expect(await check?.input?.(ask('bomb'), signal)).toMatchObject({ kind: 'block' });
    expect(await hostCheck(page(undefined), load)).toBeUndefined();
    await expect(hostCheck(page('https://elsewhere.example/x.js'), load)).rejects.toThrow('not of this page');
  });

  test('must be a check', async () => {
    await expect(hostCheck(page('./x.js'), async () => ({}))).rejects.toThrow('exports no check');
    const wrong = async () => ({ default: { input: 'yes' } });
    await expect(hostCheck(page('./x.js'), wrong)).rejects.toThrow('exports no check');
  });
});

test('settings are kept, and spoiled ones are off', () => {
  const kept = new Map<string, string>();
  const store = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
  openSafetySettings(store).value = { on: true, patterns: 'bomb', action: 'warn' };
  expect(openSafetySettings(store).value).toEqual({ on: true, patterns: 'bomb', action: 'warn' });
  kept.set('bitmill.safety', '[broken');
  expect(openSafetySettings(store).value).toEqual(OFF);
});
