import { expect, test } from 'vitest';
import { readExam } from './index.ts';

const line = (changes: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({ category: 'addition', question: 'What is 7 plus 5?', answer: '12.', ...changes });

test('one question a line; empty lines, other fields, a byte-order mark and CRLF do not matter', () => {
  const text = `\ufeff${line({ id: 3 })}\r\n\n${line({ category: '__proto__', question: 'And you?', answer: ' Me. ' })}`;
  expect(readExam(text, 'exam.jsonl')).toEqual({
    place: 'exam.jsonl',
    questions: [
      { line: 1, category: 'addition', question: 'What is 7 plus 5?', answer: '12.' },
      { line: 3, category: '__proto__', question: 'And you?', answer: ' Me. ' },
    ],
  });
});

test.each([
  ['exam.jsonl: holds no question', ''],
  ['exam.jsonl:2: "not JSON" is not JSON', `${line()}\nnot JSON`],
  ['exam.jsonl:1: "[1]" is no question', '[1]'],
  ['exam.jsonl:1: "null" is no question', 'null'],
  ['exam.jsonl:1: "answer" is missing', line({ answer: undefined })],
  ['exam.jsonl:1: "category" is missing', '{"__proto__": {"category": "x"}, "question": "x", "answer": "y"}'],
  ['exam.jsonl:1: "answer" is "12", not a text', line({ answer: 12 })],
  ['exam.jsonl:1: "question" is empty', line({ question: ' ' })],
  [
    'exam.jsonl:1: "category" has 101 characters; at most 100 are allowed',
    line({ category: 'x'.repeat(101) }),
  ],
  ['exam.jsonl:1: has 1048645 characters; at most 1048576 are read', ' '.repeat(2 ** 20) + line()],
  ['exam.jsonl:3: asks what line 1 asks already', `${line()}\n\n${line({ answer: '13.' })}`],
])('an input error: %s', (message, text) => {
  expect(() => readExam(text, 'exam.jsonl')).toThrow(expect.objectContaining({ kind: 'input', message }));
});

test('more than 1000 categories, or 100000 questions, are something else', () => {
  const lines = (count: number, category: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line({ question: String(i), category: category(i) })).join('\n');
  expect(() => readExam(lines(1001, String), 'x')).toThrow('x:1001: at most 1000 categories are read');
  expect(() =>
    readExam(
      lines(100_001, () => 'c'),
      'x',
    ),
  ).toThrow('x:100001: at most 100000 questions are read');
});
