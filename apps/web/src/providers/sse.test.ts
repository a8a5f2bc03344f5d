/** Events come out of a stream the same, however it is cut. */
import { expect, test } from 'vitest';
import { eventData } from './sse.ts';

function streamOf(parts: readonly Uint8Array[], cancelled?: () => void): ReadableStream<Uint8Array> {
  const queue = [...parts];
  return new ReadableStream({
    pull: (controller) => {
      const next = queue.shift();
      if (next) controller.enqueue(next);
      else controller.close();
    },
    cancel: () => cancelled?.(),
  });
}

async function read(parts: readonly Uint8Array[]): Promise<string[]> {
  const events: string[] = [];
  for await (const data of eventData(streamOf(parts))) events.push(data);
  return events;
}

const TEXT = [
  ': a comment\n\n',
  'data: {"a":"grüße 👋🏽"}\n\n',
  'event: x\r\nid: 7\r\ndata:no space\r\ndata:  two\r\n\r\n',
  'data\rdata: after an empty line\r\r',
  'retry: 10\n\n',
  'data: [DONE]\n\ndata: cut off',
].join('');
const EVENTS = ['{"a":"grüße 👋🏽"}', 'no space\n two', '\nafter an empty line', '[DONE]'];
const BYTES = new TextEncoder().encode(TEXT);

test('all at once', async () => {
  expect(await read([BYTES])).toEqual(EVENTS);
});

test('byte by byte', async () => {
  expect(await read([...BYTES].map((byte) => Uint8Array.of(byte)))).toEqual(EVENTS);
});

test('cut in two at every place', async () => {
  for (let at = 1; at < BYTES.length; at++) {
    expect(await read([BYTES.subarray(0, at), BYTES.subarray(at)]), `cut at ${at}`).toEqual(EVENTS);
  }
});

test('empty chunks and a mark of the byte order are nothing', async () => {
  const mark = Uint8Array.of(0xef, 0xbb, 0xbf);
  expect(await read([mark, new Uint8Array(0), BYTES, new Uint8Array(0)])).toEqual(EVENTS);
});

test('whoever stops listening cancels the stream', async () => {
  let cancelled = 0;
  const stream = streamOf([BYTES, BYTES], () => cancelled++);
  for await (const _ of eventData(stream)) break;
  expect(cancelled).toBe(1);
});
