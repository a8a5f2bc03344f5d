/** Parameters as they are typed. */
import { expect, test } from 'vitest';
import { titleOf } from './conversation.ts';
import { readNumber, readStops, showStops, withParameter } from './parameters.ts';

test('numbers are read in their bounds; empty is the default', () => {
  expect(readNumber('temperature', '0,7')).toBe(0.7);
  expect(readNumber('temperature', ' ')).toBeUndefined();
  expect(readNumber('temperature', 'hot')).toEqual({ problem: 'Temperature is a number.' });
  expect(readNumber('temperature', '2.1')).toEqual({ problem: 'Temperature lies between 0 and 2.' });
  expect(readNumber('top_k', '1.5')).toEqual({ problem: 'Top k is a whole number.' });
});

test('stops are lines, four at most, with line ends spelled out', () => {
  expect(readStops('END\n\n\\n\\nUser:\n')).toEqual(['END', '\n\nUser:']);
  expect(readStops('1\n2\n3\n4\n5')).toEqual(['1', '2', '3', '4']);
  expect(readStops('')).toBeUndefined();
  expect(showStops(['\n\nUser:', 'END'])).toBe('\\n\\nUser:\nEND');
});

test('a parameter that is taken away leaves no trace', () => {
  expect(withParameter({ seed: 1, top_k: 2 }, 'seed', undefined)).toEqual({ top_k: 2 });
  expect(withParameter({}, 'seed', 3)).toEqual({ seed: 3 });
});

test('a title is the first line, cut at a word', () => {
  expect(titleOf('  Why is\tthe sky blue?\nTell me.')).toBe('Why is the sky blue?');
  expect(titleOf('word '.repeat(20))).toBe(`${'word '.repeat(12).trim()}…`);
  expect(titleOf(' ')).toBe('New chat');
});
