/** Progress and sizes on a terminal. */
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { amountText, jsonText, terminalProgress, withoutControls } from './terminal.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A stream that says whether it is a terminal and keeps what it is sent. */
function stream(isTTY: boolean): { stream: NodeJS.WriteStream; text(): string } {
  let text = '';
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      text += String(chunk);
      done();
    },
  });
  const methods = {
    isTTY,
    columns: 100,
    cursorTo: () => true,
    clearLine: () => true,
    moveCursor: () => true,
  };
  return { stream: Object.assign(sink, methods) as unknown as NodeJS.WriteStream, text: () => text };
}

function work(isTTY: boolean, milliseconds: number): string {
  const terminal = stream(isTTY);
  const progress = terminalProgress({ stream: terminal.stream });
  progress.start('milling', 4 * 2 ** 20, 'bytes');
  vi.advanceTimersByTime(milliseconds);
  progress.update(2 ** 20, 'a tensor');
  progress.stop();
  return terminal.text();
}

test('a bar tells amount, unit and time left', () => {
  expect(work(true, 3000)).toContain('25%  1.00 MiB of 4.00 MiB  9 s left  a tensor');
});

test('work of less than two seconds, and work without a terminal, shows no bar', () => {
  expect(work(true, 1900)).toBe('');
  expect(work(false, 3000)).toBe('');
});

test('amounts that are no bytes are counted', () => {
  expect(amountText(3, 27, 'files')).toBe('3 of 27 files');
});

test('nothing but text, tabs and line breaks of a model reaches a terminal', () => {
  const hostile = '\u001b]0;title\u0007\u001b[2Ja\r\nb\tc\u009b31m\u0008\u007f\u0000é😀';
  expect(withoutControls(hostile)).toBe(']0;title[2Ja\nb\tc31mé😀');
});

test('JSON escapes every control character', () => {
  const value = { text: '\u001b[2J\u009b2J\u007fé' };
  expect(jsonText(value)).toBe('{"text":"\\u001b[2J\\u009b2J\\u007fé"}');
  expect(JSON.parse(jsonText(value))).toEqual(value);
});
