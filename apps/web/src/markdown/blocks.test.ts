/** Cutting markdown into blocks: a growing text ends in the same blocks as a whole one, whatever is cut where. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockCutter } from './blocks.ts';

const whole = (text: string) => new BlockCutter().whole(text);

function grown(text: string, step: number): readonly string[] {
  const cutter = new BlockCutter();
  let blocks: readonly string[] = [];
  for (let end = step; end < text.length + step; end += step) blocks = cutter.grow(text.slice(0, end));
  return blocks;
}

test('blocks are paragraphs, lists, code, tables', () => {
  const text = 'One\ntwo\n\n- a\n- b\n\n```js\nx\n\ny\n```\n\n| a |\n| - |\n| b |\n';
  expect(whole(text).map((block) => block.trim())).toEqual([
    'One\ntwo',
    '- a\n- b',
    '```js\nx\n\ny\n```',
    '| a |\n| - |\n| b |',
  ]);
});

test('links of a whole text find their definitions, wherever these stand', () => {
  const [first, second] = whole('See [here][h].\n\nNothing.\n\n[h]: https://example.org\n');
  expect(first).toContain('[h]: https://example.org');
  expect(second.trim()).toBe('Nothing.');
});

/** Lines that begin, continue or end blocks of all kinds. */
const LINE = fc.constantFrom(
  ...['text', 'more *text*', '# head', '---', '===', '- item', '  - inner', '1. one', '2. two', '> quote'],
  ...[
    '```js',
    '```',
    '~~~',
    '    indented',
    '| a | b |',
    '| - | - |',
    '<b>html</b>',
    '<div>',
    '',
    '',
    '',
    '* * *',
    '#',
  ],
);

test('text that grows by any steps ends in the same blocks as the whole', () => {
  fc.assert(
    fc.property(fc.array(LINE, { maxLength: 14 }), fc.integer({ min: 1, max: 9 }), (lines, step) => {
      const text = lines.join('\n');
      expect(grown(text, step)).toEqual(whole(text));
    }),
    { numRuns: 1500, seed: 7 },
  );
});

test('blocks together are the text, but for empty lines', () => {
  fc.assert(
    fc.property(fc.array(LINE, { maxLength: 14 }), (lines) => {
      const text = lines.join('\n');
      expect(whole(text).join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
    }),
    { numRuns: 1000, seed: 8 },
  );
});

test('a long text costs what its end costs: settled blocks stay the same strings', () => {
  const cutter = new BlockCutter();
  const long = Array.from({ length: 500 }, (_, index) => `Paragraph ${index}.\n\n`).join('');
  const before = cutter.grow(long);
  const after = cutter.grow(`${long}And more.`);
  expect(after.length).toBe(before.length + 1);
  expect(after.slice(0, 498).every((block, index) => block === before[index])).toBe(true);
});
