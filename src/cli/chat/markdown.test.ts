import fc from 'fast-check';
import pc from 'picocolors';
import { describe, expect, test } from 'vitest';
import { MarkdownColours, palette } from './markdown.ts';

/** Kinds of text in angle brackets. */
const NAMED = {
  heading: (text: string) => `<h:${text}>`,
  bold: (text: string) => `<b:${text}>`,
  code: (text: string) => `<c:${text}>`,
  marker: (text: string) => `<m:${text}>`,
};

function coloured(...pieces: string[]): string {
  const colours = new MarkdownColours(NAMED);
  return pieces.map((piece) => colours.push(piece)).join('') + colours.flush();
}

describe('Markdown in colour', () => {
  test.each([
    ['plain text', 'plain text'],
    ['a **bold** word', 'a <b:**bold**> word'],
    ['2 ** 3 ** 4', '2 ** 3 ** 4'],
    ['**not closed\nnext', '<b:**not closed>\nnext'],
    ['*one* star', '*one* star'],
    ['run `npm **x**` now', 'run <c:`npm **x**`> now'],
    ['an open `tick\nnext', 'an open <c:`tick>\nnext'],
    ['# Title\ntext', '<h:# Title>\ntext'],
    ['#hashtag', '#hashtag'],
    ['- item **b**\n12. two', '<m:-> item <b:**b**>\n<m:12.> two'],
    ['-5 and 3.14', '-5 and 3.14'],
    ['**bold** first', '<b:**bold**> first'],
    ['```js\n# no **title**\n```\n# yes', '<c:```js>\n<c:# no **title**>\n<c:```>\n<h:# yes>'],
    ['~~~\n```\n~~~\nx', '<c:~~~>\n<c:```>\n<c:~~~>\nx'],
    ['```', '<c:```>'],
    ['- ', '<m:-> '],
    ['ends in *', 'ends in *'],
    ['ends in **', 'ends in **'],
    ['###', '###'],
  ])('%j', (text, expected) => {
    expect(coloured(text)).toBe(expected);
    // In pieces of one character the colours begin anew at each, and nothing else changes.
    const flat = (named: string) => named.replace(/<([hbcm]):([^>]*)>/g, '$2');
    expect(flat(coloured(...text))).toBe(flat(expected));
  });

  test('no character is lost, added or moved, however the text comes in pieces', () => {
    const c = pc.createColors(true);
    const text = fc.string({ unit: fc.constantFrom(...'ab *`#~-1.)\n\t>é😀'), maxLength: 60 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), (pieces) => {
        const colours = new MarkdownColours(palette(c));
        const shown = pieces.map((piece) => colours.push(piece)).join('') + colours.flush();
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is taken out
        expect(shown.replace(/\u001b\[\d+m/g, '')).toBe(pieces.join(''));
      }),
      { numRuns: 2000 },
    );
  });

  test('at most a few characters wait for the next piece, and none has a colour that goes on', () => {
    const colours = new MarkdownColours(palette(pc.createColors(true)));
    expect(colours.push('Hello')).toBe('Hello');
    expect(colours.push(' **wor')).toBe(' \u001b[1m**wor\u001b[22m');
    expect(colours.push('ld*')).toBe('\u001b[1mld\u001b[22m');
    expect(colours.push('* and')).toBe('\u001b[1m**\u001b[22m and');
  });
});
