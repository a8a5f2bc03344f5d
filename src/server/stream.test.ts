import { describe, expect, it } from 'vitest';
import type { AnswerReport } from './env.ts';
import { ApiError } from './errors.ts';
import { DONE, type EventStreamOptions, eventStream, frame } from './stream.ts';
import { HELLO, setup } from './testing.cases.ts';

const CHAT = '/v1/chat/completions';

const QUIET: EventStreamOptions = {
  leave: async () => {},
  keepAliveMs: 60_000,
  comment: () => 'here',
  onError: () => {},
};

/** Lets everything happen that waits for nothing from outside. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A promise to be kept later. */
function later() {
  let keep = () => {};
  const promise = new Promise<void>((resolve) => {
    keep = resolve;
  });
  return { promise, keep };
}

describe('a stream of events', () => {
  it('is frames, each a line of JSON, whatever the text is', async () => {
    async function* frames() {
      yield frame({ text: 'two\nlines\r\n\u2028 data: x' });
      yield DONE;
    }
    const text = await eventStream(frames(), QUIET).text();
    expect(text).toBe('data: {"text":"two\\nlines\\r\\n\u2028 data: x"}\n\ndata: [DONE]\n\n');
  });

  it('makes no more frames than its reader takes, and one ahead', async () => {
    let made = 0;
    async function* frames() {
      for (;;) yield frame(made++);
    }
    const reader = eventStream(frames(), QUIET).body?.getReader();
    await settle();
    expect(made).toBe(1);
    for (let i = 0; i < 3; i++) await reader?.read();
    await settle();
    expect(made).toBe(4);
    await reader?.cancel();
  });

  it('says that it lives while it waits, and loses no frame by that', async () => {
    const { promise, keep } = later();
    async function* frames() {
      await promise;
      yield frame(1);
      yield DONE;
    }
    const response = eventStream(frames(), { ...QUIET, keepAliveMs: 1, comment: () => 'prompt 5 of 9' });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe(': prompt 5 of 9\n\n');
    keep();
    const rest: string[] = [];
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read())
      rest.push(next.value);
    expect(rest.filter((one) => !one.startsWith(':'))).toEqual(['data: 1\n\n', DONE]);
  });

  it('tells of its reader that left, while a frame is waited for and between frames', async () => {
    for (const waits of [true, false]) {
      const { promise, keep } = later();
      const heard: string[] = [];
      async function* frames() {
        try {
          yield frame(0);
          if (waits) await promise;
          for (;;) yield frame(1);
        } finally {
          heard.push('closed');
        }
      }
      const leave = async () => {
        heard.push('left');
        keep();
      };
      const onError = () => heard.push('error');
      const reader = eventStream(frames(), { ...QUIET, leave, onError }).body?.getReader();
      await reader?.read();
      await settle();
      await reader?.cancel();
      await settle();
      expect(heard).toEqual(['left', 'closed']);
    }
  });
});

describe('a reader who goes away', () => {
  /** A model that speaks until it is stopped. */
  const endless = {
    script: () => 'x'.repeat(4000),
    pace: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };

  it('ends the answer of a stream, and the slot is free again', async () => {
    const heard: AnswerReport[] = [];
    const { ask, service } = setup({ fake: endless, extras: { onAnswer: (report) => heard.push(report) } });
    const response = await ask(CHAT, { ...HELLO, stream: true, n: 3 });
    const reader = response.body?.getReader();
    for (let i = 0; i < 6; i++) await reader?.read();
    expect(service.active).toBe(3);
    await reader?.cancel();
    await settle();
    expect(service.active).toBe(0);
    expect(heard.map(({ outcome }) => outcome)).toEqual(['aborted']);
  });

  it('ends an answer that would have come at once, and one whose first token is waited for', async () => {
    for (const stream of [false, true]) {
      const heard: AnswerReport[] = [];
      const extras = { onAnswer: (report: AnswerReport) => heard.push(report) };
      const { app, service } = setup({ fake: { ...endless, slots: 1 }, extras });
      const holder = service.answer(Int32Array.of(1));
      await holder.next();
      const gone = new AbortController();
      const answer = app.request(CHAT, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...HELLO, stream }),
        signal: gone.signal,
      });
      await settle();
      gone.abort();
      await holder.return({ reason: 'aborted', tokens: 0, text: '', promptTokens: 1, reusedTokens: 0 });
      expect((await answer).status).toBe(499);
      expect(service.active).toBe(0);
      expect(heard.map(({ outcome }) => outcome)).toEqual(['aborted']);
    }
  });

  it('is not waited for: a stream that nobody reads makes a few tokens and stops', async () => {
    let made = 0;
    const pace = async (index: number): Promise<void> => {
      made = index;
    };
    const fake = { script: () => 'x'.repeat(4000), pace };
    const { ask, service } = setup({ fake });
    const response = await ask(CHAT, { ...HELLO, stream: true });
    const reader = response.body?.getReader();
    for (let i = 0; i < 4; i++) await reader?.read();
    await settle();
    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThan(12);
    await reader?.cancel();
    await settle();
    expect(service.active).toBe(0);
  });
});

describe('what the shell hands in', () => {
  it('a signal with an answer as its reason ends the request with that answer; a client for the queue', async () => {
    const late = new AbortController();
    const { ask, service } = setup({
      fake: {
        pace: async (index) => {
          if (index === 3) late.abort(new ApiError(504, 'too late'));
        },
      },
      extras: {
        middleware: [
          async (c, next) => {
            c.set('signal', late.signal);
            c.set('client', 'key 1');
            await next();
          },
        ],
      },
    });
    const response = await ask(CHAT, { ...HELLO, user: 'u' });
    expect(response.status).toBe(504);
    expect((await response.json()).error.message).toBe('too late');
    expect(service.requests[0].client).toBe('key 1/u');
  });
});
