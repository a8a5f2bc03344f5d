import { describe, expect, test } from 'vitest';
import { MessageInput } from './input.ts';

/** What lines become; `+` in front: the line is pasted. */
function read(...lines: string[]) {
  const input = new MessageInput();
  const found = lines.flatMap((line) => {
    if (line.startsWith('+')) {
      input.paste(line.slice(1));
      return [];
    }
    const whole = input.push(line);
    return whole ? [whole.kind === 'message' ? whole.text : [whole.name, whole.rest]] : [];
  });
  return input.open ? [...found, 'OPEN'] : found;
}

describe('lines of a chat', () => {
  test.each([
    ['a line is a message', ['Hi', ' there '], ['Hi', ' there ']],
    ['empty lines are none', ['', '  ', 'x'], ['x']],
    ['a backslash at the end goes on', ['a\\', 'b\\', 'c'], ['a\nb\nc']],
    ['an even number of backslashes is text', ['a\\\\', 'b'], ['a\\\\', 'b']],
    [
      'a slash begins a command',
      ['/system  Be short. ', '/'],
      [
        ['system', 'Be short.'],
        ['', ''],
      ],
    ],
    ['a continued line is no command', ['x\\', '/exit'], ['x\n/exit']],
    ['a command may not be split', ['/exit\\', 'x'], ['/exit\nx']],
    ['a block keeps its lines', ['"""', 'a\\', '', '/exit', '"""'], ['a\\\n\n/exit']],
    ['a block may begin and end beside its text', ['"""a', 'b"""  ', '"""c"""'], ['a\nb', 'c']],
    ['a block that is empty is none', ['"""', '"""', '""""""', 'x'], ['x']],
    ['a block may have quotes inside', ['"""a """b', '"""'], ['a """b']],
    ['an open block waits', ['"""', 'a'], ['OPEN']],
    ['pasted lines are one message', ['+a', '+/exit', '+', 'b\\'], ['a\n/exit\n\nb\\']],
    ['the line break at the end of a paste is none', ['+a', '+b', ''], ['a\nb']],
    ['a pasted line alone is as typed', ['+/exit', '', '+a\\', '', 'b'], [['exit', ''], 'a\nb']],
    ['a paste inside a block belongs to it', ['"""', '+a', '+"""', 'b', '"""'], ['a\n"""\nb']],
    ['a paste goes on a continued line', ['a\\', '+b', 'c'], ['a\nb\nc']],
  ])('%s', (_, lines, expected) => {
    expect(read(...lines)).toEqual(expected);
  });

  test('what has begun can be dropped', () => {
    const input = new MessageInput();
    input.push('"""');
    input.push('secret');
    input.clear();
    expect([input.open, input.push('x')]).toEqual([false, { kind: 'message', text: 'x' }]);
  });
});
