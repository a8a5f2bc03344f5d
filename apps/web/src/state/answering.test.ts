/** One answer from question to end: what is sent, what hooks can do, how it can fail. */
import { describe, expect, test } from 'vitest';
import type { Extension } from '../extensions.ts';
import { ProviderError } from '../provider.ts';
import { type Script, scriptedProvider } from '../testing/scripted.ts';
import { answer, question } from '../testing/turns.ts';
import { type AnswerJob, messagesOf, runAnswer } from './answering.ts';
import { failureKind } from './failures.ts';

/** A clock that ticks 10 ms a look. */
function clock(): () => number {
  let now = 0;
  return () => {
    now += 10;
    return now;
  };
}

function jobOf(script: Script, more: Partial<AnswerJob> = {}) {
  const provider = scriptedProvider([script]);
  const texts: string[] = [];
  const job: AnswerJob = {
    conversation: 'c',
    turn: answer('a', 'q', '', { state: 'streaming' }),
    line: [question('q', '', 'Hi')],
    setup: { model: 'tiny', system: 'Be brief.', parameters: { temperature: 0 } },
    provider,
    extensions: [],
    signal: new AbortController().signal,
    now: clock(),
    onText: (text) => void texts.push(text),
    ...more,
  };
  return { job, provider, texts };
}

test('the roles alternate: empty answers are left out, questions that then meet become one', () => {
  const line = [
    question('1', '', 'One'),
    answer('2', '1', ''),
    question('3', '2', 'Two'),
    answer('4', '3', 'Yes'),
  ];
  expect(messagesOf('', line)).toEqual([
    { role: 'user', content: 'One\n\nTwo' },
    { role: 'assistant', content: 'Yes' },
  ]);
  expect(messagesOf('  ', [])).toEqual([]);
});

test('an answer grows, ends, and knows its tokens and times', async () => {
  const { job, provider, texts } = jobOf({ pieces: ['Hel', '', 'lo'] });
  const done = await runAnswer(job);
  expect(texts).toEqual(['Hel', 'Hello']);
  expect(done).toMatchObject({
    id: 'a',
    content: 'Hello',
    facts: { state: 'stop', promptTokens: 7, completionTokens: 3, waitMs: 10, streamMs: 10 },
  });
  expect(provider.requests[0]).toMatchObject({
    model: 'tiny',
    parameters: { temperature: 0 },
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ],
  });
});

test('a stopped answer keeps what had come', async () => {
  const abort = new AbortController();
  const { job } = jobOf(
    { pieces: ['Half', new Promise<string>(() => undefined)] },
    { signal: abort.signal, onText: () => abort.abort() },
  );
  expect(await runAnswer(job)).toMatchObject({ content: 'Half', facts: { state: 'aborted' } });
});

test('a failed answer keeps what had come and says why', async () => {
  const { job } = jobOf({
    pieces: ['Half'],
    failure: new ProviderError('Busy.', { status: 429, retryAfter: 3 }),
  });
  const done = await runAnswer(job);
  expect(done).toMatchObject({
    content: 'Half',
    facts: { state: 'failed', failure: { message: 'Busy.', status: 429 } },
  });
  expect(done.facts.failure?.retryAt).toBeGreaterThan(Date.now());
});

describe('hooks', () => {
  const adds: Extension = {
    name: 'adds',
    beforeSend: async (outgoing) => ({
      ...outgoing,
      messages: [{ role: 'system', content: 'Sources: …' }, ...outgoing.messages],
      notes: { ...outgoing.notes, adds: [1, 2] },
    }),
    afterAnswer: async (incoming) => ({ ...incoming, text: `${incoming.text}!` }),
  };

  test('change what is sent and what has come, and leave notes', async () => {
    const { job, provider } = jobOf({ pieces: ['Yes'] }, { extensions: [adds, adds] });
    const done = await runAnswer(job);
    expect(provider.requests[0].messages).toHaveLength(4);
    expect(done).toMatchObject({ content: 'Yes!!', notes: { adds: [1, 2] } });
  });

  test('can refuse a question: nothing is sent', async () => {
    const no: Extension = { name: 'no', beforeSend: async () => ({ refused: 'Not here.' }) };
    const { job, provider } = jobOf({ pieces: ['Yes'] }, { extensions: [no, adds] });
    expect(await runAnswer(job)).toMatchObject({
      content: '',
      facts: { state: 'withheld', failure: { message: 'Not here.' } },
    });
    expect(provider.requests).toHaveLength(0);
  });

  test('can withhold an answer: its text is gone', async () => {
    const no: Extension = { name: 'no', afterAnswer: async () => ({ refused: 'Better not.' }) };
    const { job } = jobOf({ pieces: ['Secret'] }, { extensions: [no] });
    expect(await runAnswer(job)).toMatchObject({
      content: '',
      facts: { state: 'withheld', completionTokens: 1, failure: { message: 'Better not.' } },
    });
  });

  test('that fail make the answer fail, as a fault of the page', async () => {
    const broken: Extension = { name: 'broken', beforeSend: () => Promise.reject(new Error('No vectors.')) };
    const { job } = jobOf({ pieces: ['Yes'] }, { extensions: [broken] });
    expect((await runAnswer(job)).facts).toMatchObject({
      state: 'failed',
      failure: { message: 'No vectors.', code: 'page' },
    });
  });
});

test.each([
  [{ message: 'x', status: 401 }, 'key'],
  [{ message: 'x', status: 429 }, 'busy'],
  [{ message: 'x', status: 503 }, 'busy'],
  [{ message: 'x' }, 'gone'],
  [{ message: 'x', code: 'page' }, 'other'],
  [{ message: 'x', status: 400 }, 'other'],
  [{ message: 'x', status: 400, code: 'context_length_exceeded' }, 'full'],
  [{ message: 'the request exceeds the available context size', status: 400 }, 'full'],
] as const)('%j is of the kind %s', (failure, kind) => {
  expect(failureKind(failure)).toBe(kind);
});
