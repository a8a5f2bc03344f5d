/** What is read out of markdown. */
import { expect, test } from 'vitest';
import { plainText } from './plain.ts';

test.each([
  ['The sky **is** *blue*, `really`.', 'The sky is blue, really.'],
  ['# Head\n\nText with [a link](https://example.org).', 'Head\nText with a link.'],
  ['- one\n- two\n  - three', 'one\ntwo\nthree'],
  ['```js\nlet x;\n```\n\nDone.', 'Code: js.\nDone.'],
  ['| a | b |\n| - | - |\n| 1 | 2 |', 'a, b\n1, 2'],
  ['> said\n\n---\n\nso', 'said\nso'],
  ['', ''],
])('%j is read as %j', (markdown, said) => {
  expect(plainText(markdown)).toBe(said);
});
