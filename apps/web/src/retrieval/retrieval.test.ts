/** Pieces, words, rankings and prompts, on a corpus small enough to know the right answers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wordIndex } from './bm25.ts';
import { chunksOf } from './chunks.ts';
import { checkCitations, citationsIn } from './citations.ts';
import { type AttachedFile, LIMITS, readText, refusalOf } from './files.ts';
import { grounded, sourceBudget } from './prompt.ts';
import { fused, ranked } from './ranking.ts';
import { fitting, type Passage, passagesOf, search } from './search.ts';
import { textOfHtml } from './text-of-html.ts';
import { wordsOf } from './words.ts';

const pieces = (text: string, size: number, overlap = 0) =>
  chunksOf(text, { size, overlap }).map(({ from, to, heading }) => [text.slice(from, to), heading]);

describe('pieces', () => {
  test('end before headings and know those above them', () => {
    const text =
      '# Install\n\nGet it.\n\n## Linux\n\nUse apt.\n\n## Windows\n\nUse the file.\n\n# Use\n\nRun it.\n';
    expect(pieces(text, 100)).toEqual([
      ['# Install\n\nGet it.', 'Install'],
      ['## Linux\n\nUse apt.', 'Install › Linux'],
      ['## Windows\n\nUse the file.', 'Install › Windows'],
      ['# Use\n\nRun it.', 'Use'],
    ]);
  });

  test('join paragraphs as long as they fit', () => {
    expect(pieces('One one.\n\nTwo two.\n\nThree three.', 20).map(([text]) => text)).toEqual([
      'One one.\n\nTwo two.',
      'Three three.',
    ]);
  });

  test('cut a long paragraph between sentences, and repeat the last one', () => {
    const text = 'First sentence here. Second sentence here. Third sentence here. Fourth sentence.';
    expect(pieces(text, 45).map(([piece]) => piece)).toEqual([
      'First sentence here. Second sentence here.',
      'Third sentence here. Fourth sentence.',
    ]);
    expect(pieces(text, 64, 25).map(([piece]) => piece)).toEqual([
      'First sentence here. Second sentence here. Third sentence here.',
      'Third sentence here. Fourth sentence.',
    ]);
  });

  test('a line of code that looks like a heading is none', () => {
    expect(pieces('```sh\n# not a heading\n\nls\n```\n', 100)).toEqual([
      ['```sh\n# not a heading\n\nls\n```', ''],
    ]);
  });

  test('of any text: no larger than allowed, in order, and nothing but white space is lost', () => {
    const letter = fc.constantFrom('a', 'ü', '👋', ' ', '\n', '. ', '\n\n', '# ', '```\n', 'word');
    fc.assert(
      fc.property(
        fc.array(letter, { maxLength: 200 }),
        fc.integer({ min: 0, max: 10 }),
        (letters, overlap) => {
          const text = letters.join('');
          const chunks = chunksOf(text, { size: 30, overlap });
          let covered = 0;
          for (const { from, to } of chunks) {
            expect(to - from).toBeLessThanOrEqual(30);
            expect(text.slice(covered, Math.max(covered, from)).trim()).toBe('');
            expect(() => encodeURIComponent(text.slice(from, to))).not.toThrow();
            covered = to;
          }
          expect(text.slice(covered).trim()).toBe('');
        },
      ),
    );
  });
});

test('words of several scripts', () => {
  expect(wordsOf('Grüße, Dr. Müller-Lüdenscheidt! ２ apples')).toEqual([
    'grüße',
    'dr',
    'müller',
    'lüdenscheidt',
    '2',
    'apples',
  ]);
  expect(wordsOf('日本語のテキスト').length).toBeGreaterThan(1);
  expect(wordsOf('snake_case isn’t')).toEqual(['snake', 'case', 'isn', 't']);
});

test('a rare word counts more than common ones', () => {
  const index = wordIndex(['the cat and the dog and the bird', 'the zebra', 'the the the the']);
  const scores = index.score('the zebra');
  expect(ranked(scores)[0]).toBe(1);
  expect([...index.score('giraffe')]).toEqual([0, 0, 0]);
  expect([...wordIndex([]).score('x')]).toEqual([]);
});

test('what two rankings place high wins over what one places first', () => {
  expect(
    fused([
      [0, 1, 2],
      [3, 1, 2],
    ]),
  ).toEqual([1, 2, 0, 3]);
  expect(fused([[], []])).toEqual([]);
});

const CORPUS: readonly AttachedFile[] = [
  {
    id: 'a',
    name: 'mill.md',
    bytes: 1,
    text: '# Wind mill\n\nThe mill grinds wheat when the wind blows from the west.\n\n# Water mill\n\nThe wheel turns in the stream and drives a saw for oak planks.',
  },
  {
    id: 'b',
    name: 'bread.txt',
    bytes: 1,
    text: 'Rye dough rests for twelve hours before it goes into the oven.',
  },
];
const PASSAGES = CORPUS.flatMap(passagesOf);

/** A space of meaning with three directions: grinding, sawing, baking. */
const meaning = async (texts: readonly string[]) =>
  texts.map((text) => {
    const has = (pattern: RegExp) => (pattern.test(text) ? 1 : 0.1);
    return Float32Array.of(has(/grind|flour|wheat/i), has(/saw|oak|timber/i), has(/dough|bak|oven/i));
  });

test('words find their passage', async () => {
  const { passages, onlyWords } = await search('How long does the dough rest?', PASSAGES, undefined);
  expect(passages[0]).toMatchObject({ name: 'bread.txt', from: 0, heading: '' });
  expect(passages).toHaveLength(3);
  expect(onlyWords).toBeUndefined();
});

test('meaning finds what shares no word with the question', async () => {
  const question = 'Who cuts timber?';
  expect((await search(question, PASSAGES, undefined)).passages[0].heading).toBe('Wind mill');
  expect((await search(question, PASSAGES, meaning)).passages[0].heading).toBe('Water mill');
});

test('where the model has no embeddings words must do, and it is said', async () => {
  const broken = () => Promise.reject(new Error('This model has no embeddings.'));
  const { passages, onlyWords } = await search('Which dough?', PASSAGES, broken);
  expect(passages[0].name).toBe('bread.txt');
  expect(onlyWords).toBe('This model has no embeddings.');
});

test('passages are taken as long as there is room, and none twice', () => {
  const passage = (from: number, to: number): Passage => ({
    file: 'a',
    name: 'a',
    heading: '',
    from,
    to,
    text: 'x'.repeat(to - from),
  });
  const some = [passage(0, 100), passage(10, 110), passage(200, 600), passage(700, 750)];
  expect(fitting(some, 60).map(({ from }) => from)).toEqual([0, 700]);
  expect(fitting(some, 1000).map(({ from }) => from)).toEqual([0, 200, 700]);
  expect(
    fitting(
      Array.from({ length: 20 }, (_, i) => passage(1000 * i, 1000 * i + 10)),
      1000,
    ),
  ).toHaveLength(6);
});

test('the question goes out with numbered sources; what was said before stays', () => {
  const messages = grounded(
    [
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'How long?' },
    ],
    [PASSAGES[2], PASSAGES[0]],
  );
  expect(messages.slice(0, 3).map(({ content }) => content)).toEqual(['Be short.', 'Hi', 'Hello']);
  expect(messages[3].content).toMatch(
    /^Sources:\n\n\[1\] bread\.txt\nRye dough .*\n\n\[2\] mill\.md, Wind mill\n# Wind mill\n\nThe mill[\s\S]*like \[1\][\s\S]*Question: How long\?$/,
  );
  expect(sourceBudget(4096, [])).toBe(2457);
  expect(sourceBudget(512, [{ role: 'user', content: 'x'.repeat(900) }])).toBe(300);
});

test('citations in all their forms, and those that name no source', () => {
  const text = 'Twelve hours [1]. Oak [2, 3][4]; not `[5]`, not [6](http://x), nor\n```\n[7]\n```\nnor [a].';
  expect(citationsIn(text).map(({ source, from, to }) => [source, text.slice(from, to)])).toEqual([
    [1, '1'],
    [2, '2'],
    [3, '3'],
    [4, '4'],
  ]);
  expect(checkCitations(text, 3)).toEqual({ cited: [1, 2, 3], unknown: [4] });
  expect(checkCitations('Nothing. [0]', 3)).toEqual({ cited: [], unknown: [0] });
});

const file = (name: string, content: string | Uint8Array, type = '') =>
  new File([content as BlobPart], name, { type });

describe('files', () => {
  test('texts in several encodings', async () => {
    expect(await readText(file('a.txt', 'one\r\ntwo\rthree'))).toBe('one\ntwo\nthree');
    expect(await readText(file('a.txt', Uint8Array.of(0x67, 0x72, 0xfc, 0xdf)))).toBe('grüß');
    expect(await readText(file('a.csv', Uint8Array.of(0xff, 0xfe, 0x68, 0, 0x69, 0)))).toBe('hi');
    expect(await readText(file('Makefile', 'all:'))).toBe('all:');
  });

  test('what is no text, too large or empty is refused in a sentence', async () => {
    await expect(readText(file('a.pdf', '%PDF'))).rejects.toThrow('a.pdf is not taken: text files are');
    await expect(readText(file('a.txt', Uint8Array.of(1, 0, 2)))).rejects.toThrow('a.txt is no text');
    await expect(readText(file('a.txt', ' \n'))).rejects.toThrow('a.txt is empty');
    const large = { ...file('b.txt', 'x'), name: 'b.txt', type: '', size: LIMITS.fileBytes + 1 };
    await expect(readText({ ...large, arrayBuffer: async () => new ArrayBuffer(0) })).rejects.toThrow(
      'b.txt has 4.0 MiB; 4 MiB are taken at most',
    );
  });

  test('too many, too much, or the same again', () => {
    expect(refusalOf(CORPUS, 'c.txt', 'new')).toBeUndefined();
    expect(refusalOf(CORPUS, 'bread.txt', CORPUS[1].text)).toBe('bread.txt is attached already.');
    expect(refusalOf(CORPUS, 'c.txt', 'x'.repeat(LIMITS.characters))).toMatch(/^c.txt is too much/);
    const many = Array.from({ length: LIMITS.files }, (_, i) => ({ ...CORPUS[0], id: `${i}` }));
    expect(refusalOf(many, 'c.txt', 'new')).toBe('c.txt is one too many: 20 files are taken at most.');
  });

  test('of a page the text that a reader sees', () => {
    const html =
      '<html><head><title>Mills &amp; more</title><style>p{}</style></head><body><h2>Wind</h2><p>It\n grinds&nbsp;wheat.<br>Yes.</p><script>alert(1)</script><ul><li>one<li>two</ul>&#x41;&#66; 1 < 2</body></html>';
    expect(textOfHtml(html)).toBe(
      '# Mills & more\n\n## Wind\n\nIt grinds wheat.\nYes.\n\n- one\n- two\nAB 1 < 2',
    );
  });
});
