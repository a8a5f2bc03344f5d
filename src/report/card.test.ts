/** The card as text: its figures are those of the set, and nothing from outside is more than text. */
import { expect, test } from 'vitest';
import { cardText } from './card.ts';
import { keptOf } from './notes.ts';
import { short, withError } from './numbers.ts';
import type { QuantSet } from './quant-set.ts';
import { digits, testSet } from './set.cases.ts';

/** Rows of the table after a heading, as cells. */
function table(card: string, heading: string): string[][] {
  const section = card
    .slice(card.indexOf(`\n${heading}\n`))
    .split('\n')
    .slice(1);
  const from = section.findIndex((line) => line.startsWith('|'));
  const to = section.findIndex((line, i) => i > from && !line.startsWith('|'));
  return section.slice(from, to).map((line) => line.slice(2, -2).split(' | '));
}

const head = (card: string): string[] => card.split('\n---\n')[0].split('\n').slice(1);

test('every row has the figures of its file: IQ2_S, a file that is beaten, and the original', () => {
  const rows = table(cardText(testSet()), '## Files');
  expect(rows).toHaveLength(2 + 27 + 1);
  expect(rows[0].map((cell) => cell.replace('&nbsp;', ' '))).toEqual([
    'type',
    'size',
    'of original',
    'bits / weight',
    'perplexity',
    'mean KLD',
    'KLD 99.9 %',
    'same top',
    'exam',
    'loss in words',
  ]);
  // 2.53 bits of 3,821,079,552 weights are 1.1254 GiB, 15.8 % of 7,643,295,904 bytes.
  expect(rows[6]).toEqual([
    '**[IQ2\\_S](Phi-3-mini-4k-instruct-IQ2_S.gguf)**',
    '1.13&nbsp;GiB',
    '15.8&nbsp;%',
    '2.53',
    '10.146&nbsp;±&nbsp;0.063',
    '0.573&nbsp;±&nbsp;0.006',
    '3.59',
    '65.0&nbsp;%',
    '68.5&nbsp;%',
    'strong',
  ]);
  expect(rows[7][0]).toBe('[Q2\\_K\\_S](Phi-3-mini-4k-instruct-Q2_K_S.gguf)');
  expect(rows[7][9]).toBe('strong; IQ2\\_S is smaller and closer');
  expect(rows.at(-1)).toEqual([
    '[BF16](Phi-3-mini-4k-instruct-BF16.gguf)',
    '7.12&nbsp;GiB',
    '100.0&nbsp;%',
    '16.00',
    '6.342&nbsp;±&nbsp;0.040',
    '',
    '',
    '',
    '91.0&nbsp;%',
    'the original',
  ]);
});

test('files on the front are bold, 19 of 27', () => {
  const card = cardText(testSet());
  const bold = table(card, '## Files').filter(([type]) => type.startsWith('**'));
  expect(bold).toHaveLength(19);
  expect(card).toContain('closer to the original (19 of 27)');
});

test('the head has what is known, quoted where YAML would read something else', () => {
  expect(head(cardText(testSet()))).toEqual([
    'base_model: example/Phi-3-mini-4k-instruct',
    'base_model_relation: quantized',
    'license: mit',
    'license_link: "https://huggingface.co/example/Phi-3-mini-4k-instruct/resolve/main/LICENSE"',
    'language:',
    '- en',
    '- "no"',
    'pipeline_tag: text-generation',
    'library_name: gguf',
    'model_name: Phi-3-mini-4k-instruct',
    'tags:',
    '- gguf',
    '- imatrix',
    '- importance matrix',
    '- quantized',
    '- bitmill',
    '- nlp',
    '- code',
    '- conversational',
    '# bitmill:keys',
    '# /bitmill:keys',
  ]);
});

test('what is not known is not said: no base model, no license, no losses, no chat, no matrix', () => {
  const set = testSet();
  const { name, source, architecture, parameters, layers, contextLength, vocabulary, dtype } = set.model;
  const { files, bytes, bitsPerWeight } = set.model;
  const bare: QuantSet = {
    ...set,
    model: {
      ...{ name, source, architecture, parameters, layers, contextLength, vocabulary, dtype },
      ...{ files, bytes, bitsPerWeight, languages: [], tags: [] },
    },
    inputs: [],
    imatrix: undefined,
    evaluation: undefined,
    quants: set.quants.map(({ figures: _f, exam: _e, errors: _r, ...quant }) => quant),
    commands: [],
  };
  const card = cardText(bare);
  expect(head(card)).toEqual([
    'pipeline_tag: text-generation',
    'library_name: gguf',
    'model_name: Phi-3-mini-4k-instruct',
    'tags:',
    '- gguf',
    '- quantized',
    '- bitmill',
    '# bitmill:keys',
    '# /bitmill:keys',
  ]);
  expect(card).not.toMatch(/undefined|NaN|null/);
  expect(table(card, '## Files')[0]).toEqual([
    'type',
    'size',
    'of original',
    'bits / weight',
    'loss in words',
  ]);
  expect(card).not.toContain('## Chat format');
  expect(card).not.toContain('## What the numbers mean');
  expect(card).toContain('is **not** counted');
});

test('a license that is no id of the hub is `other` with its name', () => {
  const set = testSet();
  set.model.license = 'Own License 1.0';
  expect(head(cardText(set)).slice(2, 4)).toEqual(['license: other', 'license_name: Own License 1.0']);
});

test('a set of no quants has a card, too', () => {
  const set = testSet();
  set.quants = [];
  const card = cardText(set);
  expect(table(card, '## Files')).toHaveLength(3);
  expect(card).not.toContain('## Running it');
});

/** Every text of a set, replaced. */
function withTexts(text: string): QuantSet {
  const set = testSet();
  const [quant] = set.quants;
  const file = { name: text.replaceAll('/', ''), bytes: 1, sha256: digits(1) };
  return {
    ...set,
    bitmill: text,
    model: {
      ...set.model,
      name: text,
      source: text,
      baseModel: text,
      revision: text,
      architecture: text,
      license: text,
      licenseName: text,
      licenseLink: text,
      languages: [text],
      tags: [text],
      dtype: text,
      files: [file],
    },
    inputs: [{ role: 'calibration', name: text, bytes: 1, sha256: digits(1) }],
    recipes: text,
    effort: text,
    quants: [{ ...quant, type: text, files: [file] }],
  };
}

const HOSTILE = [
  'a: b',
  '- a',
  'a\n---\nevil: true\n',
  '"; drop',
  "it's",
  '# no comment',
  '{a: [b]}',
  '*a *b &c !d',
  '| > % @ `',
  'yes',
  '1.0',
  '',
  ' a ',
  'a\u2028b\u0085c\u202ed',
  'half \ud800 pair',
  '<script>alert(1)</script>',
  '[a](javascript:alert(1))',
  '![a](https://example.org/x.png)',
  'https://example.org www.example.org a@example.org',
  '`` ` ```',
  '<!-- bitmill:notes -->x<!-- /bitmill:notes -->',
  '$$x$$ ~~a~~ **b** __c__',
  'a\\',
];

test.each(HOSTILE)(
  '%j stays text in the head: lines of keys and items, bare words or JSON strings',
  (text) => {
    const lines = head(cardText(withTexts(text)));
    for (const line of lines) {
      if (line.startsWith('# ')) continue;
      const value = /^(?:[a-z_]+:(?: (.+))?|- (.+))$/.exec(line);
      expect(value).not.toBeNull();
      const scalar = value?.[1] ?? value?.[2];
      if (scalar === undefined) continue;
      if (scalar.startsWith('"')) expect(typeof JSON.parse(scalar)).toBe('string');
      else expect(scalar).toMatch(/^[A-Za-z][\w./+ -]*$/);
    }
    const name = lines.find((line) => line.startsWith('model_name: ')) ?? '';
    const read = name.startsWith('model_name: "') ? JSON.parse(name.slice(12)) : name.slice(12);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: controls become one space
    const shown = text.replace(/[\u0000-\u001f\u0085\u2028\u202e]+/g, ' ').trim();
    expect(read).toBe(shown.replace('\ud800', '\ufffd'));
  },
);

test.each(HOSTILE)('%j is inert in the body: no tag, no link, no image, no cell of it', (text) => {
  const card = cardText(withTexts(text));
  const body = card.slice(card.indexOf('\n---\n', 4) + 5);
  // Blocks of code show what is in them; elsewhere code spans do.
  const prose = body
    .replace(/^(`{3,})\w*\n[\s\S]*?\n\1$/gm, '')
    .replace(/(?<![`\\])(`+)(?!`)((?:(?!\n\n)[\s\S])*?[^`])\1(?!`)/g, 'code');
  const tags = [...prose.matchAll(/(?<!\\)<(\/?\w+|!--)/g)].map(([, tag]) => tag);
  expect(tags.filter((tag) => !['!--', 'details', '/details', 'summary', '/summary'].includes(tag))).toEqual(
    [],
  );
  // The help, and two marks of notes.
  expect(tags.filter((tag) => tag === '!--')).toHaveLength(3);
  expect(prose).not.toMatch(/(?<!\\)!\[/);
  const targets = [...prose.matchAll(/(?<!\\)\]\(([^)]*)\)/g)].map(([, target]) => target);
  expect(prose.replace(/\]\([^)]*\)/g, '').match(/:\/\/|www\.|\w@\w/g) ?? []).toEqual([]);
  for (const target of targets) expect(target).toMatch(/^[\w.%~-]*$/);
  for (const heading of ['## Files', '## How it was made']) {
    const rows = table(card, heading).map((row) => row.join(' | ').split(/(?<!\\)\|/).length);
    expect(new Set(rows).size).toBe(1);
  }
});

test('an example of a chat stays in its block of code, whatever backticks it has', () => {
  const set = testSet();
  set.model.chatExample = '<|user|>\n```js\nx\n````\n<|end|>';
  expect(cardText(set)).toContain('\n`````\n<|user|>\n```js\nx\n````\n<|end|>\n`````\n');
});

test('a file name that a shell would split or read as an option is quoted', () => {
  const set = testSet();
  set.quants = [{ ...set.quants[26], files: [{ ...set.quants[26].files[0], name: "-it's $(x).gguf" }] }];
  expect(cardText(set)).toContain("llama-cli -m './-it'\\''s $(x).gguf' -c 4096");
});

test('the same card each time; steps, which have timings, change nothing', () => {
  const set = testSet();
  const first = cardText(set);
  expect(cardText(testSet())).toBe(first);
  set.steps = [{ name: 'evaluate', seconds: 7 }];
  expect(cardText(set)).toBe(first);
});

const parts = (card: string) => ({ pictures: [], kept: keptOf(card) });

test('notes and keys that the publisher wrote survive, again and again', () => {
  const set = testSet();
  const edited = cardText(set)
    .replace('<!-- bitmill:notes -->\n', () => '<!-- bitmill:notes -->\nMine: **bold** `$&`.\n')
    .replace('# bitmill:keys\n', '# bitmill:keys\nquantized_by: me\nlicense: apache-2.0\n')
    .replace('## Running it', '## Gone');
  const again = cardText(set, parts(edited));
  expect(again).toContain('<!-- bitmill:notes -->\nMine: **bold** `$&`.\n\n<!-- /bitmill:notes -->');
  expect(again).toContain('\n# bitmill:keys\nquantized_by: me\nlicense: apache-2.0\n# /bitmill:keys\n---\n');
  expect(again.match(/^license:/gm)).toHaveLength(1);
  expect(again).toContain('## Running it');
  expect(cardText(set, parts(again))).toBe(again);
});

test('notes are not taken out of an example of a chat, nor out of a card without markers', () => {
  const set = testSet();
  set.model.chatExample = '<!-- bitmill:notes -->evil<!-- /bitmill:notes -->';
  const card = cardText(set);
  expect(keptOf(card).notes).toBe('\n\n');
  expect(keptOf('# hand-made').notes).toBe('\n\n');
  expect(keptOf(undefined).keys).toEqual([]);
});

test('keys survive Windows line ends, and nothing after the head is taken for them', () => {
  expect(keptOf('---\r\n# bitmill:keys\r\na: 1\r\n# /bitmill:keys\r\n---\r\n').keys).toEqual(['a: 1']);
  expect(keptOf('---\na: 1\n---\n# bitmill:keys\nb: 2\n# /bitmill:keys\n---\n').keys).toEqual([]);
});

test('a set in shards names the first of them, and lists the hash of each', () => {
  const set = testSet();
  const names = ['m-00001-of-00002.gguf', 'm-00002-of-00002.gguf'];
  set.quants = [
    { ...set.quants[26], files: names.map((name, i) => ({ name, bytes: 1, sha256: digits(i) })) },
  ];
  const card = cardText(set);
  expect(card).toContain('llama-cli -m m-00001-of-00002.gguf -c 4096');
  expect(card).toContain(`\n${digits(1)}  m-00002-of-00002.gguf\n`);
  expect(card).toContain('SHA-256 of 4 files');
});

test('small figures are written with an exponent, value and error with the same', () => {
  expect(withError(0.0000298522, 0.0000015)).toBe('2.99e-5 ± 0.15e-5');
  expect(withError(0.0034009, 0.00019)).toBe('0.00340 ± 0.00019');
  expect(withError(0.00005, undefined)).toBe('5.0000e-5');
  expect(withError(0, 0)).toBe('0');
  expect(short(0.0000123456)).toBe('1.23e-5');
});
