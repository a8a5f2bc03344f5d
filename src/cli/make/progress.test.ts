/** Time left and what is told of a job. */
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { Pace } from './pace.ts';
import { JobProgress, type Task } from './progress.ts';

const task = (id: string, kind: string, expected: number) => ({ id, kind, expected });

test('before anything ran, the time left is what is expected', () => {
  const pace = new Pace([task('a', 'x', 30), task('b', 'y', 70)]);
  expect(pace.secondsLeft).toBe(100);
  expect(pace.done).toBe(0);
});

test('a kind that took twice as long as expected is expected to go on so, and so are others that have not begun', () => {
  const pace = new Pace([task('a', 'x', 1000), task('b', 'x', 1000), task('c', 'y', 1000)]);
  pace.begin('a');
  pace.finish('a', 2000);
  // Up to the second of trust in what was expected.
  expect(pace.secondsLeft).toBeCloseTo(4000, -1);
  expect(pace.done).toBeCloseTo(2000 / 6000, 2);
});

test('half of a running task counts, with the time that it took', () => {
  const pace = new Pace([task('a', 'x', 1000)]);
  pace.begin('a');
  pace.advance('a', 0.5, 1500);
  expect(pace.secondsLeft).toBeCloseTo(1500, -1);
  expect(pace.done).toBeCloseTo(0.5, 2);
});

test('a step that had nothing to do says nothing of the pace', () => {
  const pace = new Pace([task('a', 'x', 1000), task('b', 'x', 10)]);
  pace.begin('a');
  pace.finish('a', undefined);
  expect(pace.secondsLeft).toBe(10);
});

test('at the end nothing is left', () => {
  const pace = new Pace([task('a', 'x', 5)]);
  pace.begin('a');
  pace.finish('a', 9);
  expect([pace.secondsLeft, pace.done]).toEqual([0, 1]);
});

/** A stream that keeps what it is given, and a clock that is set by hand. */
function job(tasks: readonly Task[], tty: boolean, quiet = false) {
  let [text, now] = ['', 0];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, callback) => {
      text += chunk.toString();
      callback();
    },
  });
  Object.assign(stream, { isTTY: tty, cursorTo: () => true, clearLine: () => true, columns: 200 });
  const progress = new JobProgress(tasks, {
    quiet,
    stream: stream as unknown as NodeJS.WriteStream,
    now: () => now,
  });
  const wait = (seconds: number) => {
    now += 1000 * seconds;
  };
  return { progress, text: () => text, wait };
}

const TASKS: readonly Task[] = [
  { id: 'convert', stage: 'convert', kind: 'convert', expected: 1000 },
  { id: 'measure:Q8_0', stage: 'measure', item: 'Q8_0', kind: 'measure', expected: 1000, parts: [0.5, 0.5] },
];

test('without a terminal, a line a finished step', () => {
  const { progress, text, wait } = job(TASKS, false);
  progress.begin('convert').finish('unchanged');
  const measure = progress.begin('measure:Q8_0');
  measure.progress.start('x', 100, 'tokens');
  measure.progress.update(50, 'PPL 3');
  wait(4.25);
  measure.progress.warn('something is odd');
  measure.finish('done', 'PPL 3.1');
  expect(text()).toBe('convert  unchanged\nwarning: something is odd\nmeasure Q8_0  4.3 s  PPL 3.1\n');
});

test('on a terminal, one line with the place of the step, the share of the whole job and the time left', () => {
  const { progress, text, wait } = job(TASKS, true);
  progress.begin('convert').finish('unchanged');
  const measure = progress.begin('measure:Q8_0');
  measure.progress.start('losses', 100, 'tokens');
  measure.progress.update(100, 'PPL 3');
  wait(1000);
  measure.progress.start('exam', 100, 'tokens');
  measure.progress.update(0, 'exam');
  progress.stop();
  expect(text()).toContain('1/2 convert [------------------------] 0%  33 min 20 s left');
  // Half of it took 1000 s; the other half is expected to.
  expect(text()).toMatch(/2\/2 measure Q8_0 \[={12}-{12}\] 50% {2}16 min \d+ s left {2}exam/);
});

test('with --quiet nothing but warnings', () => {
  const { progress, text } = job(TASKS, true, true);
  const convert = progress.begin('convert');
  convert.progress.warn('rounded');
  convert.finish('done');
  expect(text()).toContain('rounded');
  expect(text()).not.toContain('convert');
});
