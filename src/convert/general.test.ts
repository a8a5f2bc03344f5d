import { expect, it } from 'vitest';
import { readCard } from './card.ts';
import { generalEntries, nameOf, sizeLabel } from './general.ts';

it('labels sizes with two digits or more', () => {
  expect(sizeLabel(3_821_079_552)).toBe('3.8B');
  expect(sizeLabel(134_515_008)).toBe('135M');
  expect(sizeLabel(13_960_238_080)).toBe('14B');
  expect(sizeLabel(66_000)).toBe('66K');
  expect(sizeLabel(400)).toBe('0.40K');
});

it('takes the name from a folder, a repository id and a hub cache', () => {
  expect(nameOf('/models/Phi-3-mini-4k-instruct/')).toBe('Phi-3-mini-4k-instruct');
  expect(nameOf('microsoft/Phi-3-mini-4k-instruct')).toBe('Phi-3-mini-4k-instruct');
  expect(nameOf('hub/models--HuggingFaceTB--SmolLM2-135M/snapshots/93efa2f0')).toBe('SmolLM2-135M');
  expect(nameOf('.')).toBe('model');
});

it('reads license, tags and languages of a model card', () => {
  const head = [
    '---',
    'license: mit',
    'license_link: "https://example.org/L"',
    'language:',
    '- en',
    "- 'fr'",
  ];
  const rest = [
    'tags: [nlp, code]',
    'pipeline_tag: text-generation',
    'widget:',
    '  - messages:',
    '---',
    '- no',
  ];
  expect(readCard([...head, ...rest].join('\n'))).toEqual({
    license: 'mit',
    licenseLink: 'https://example.org/L',
    tags: ['nlp', 'code', 'text-generation'],
    languages: ['en', 'fr'],
  });
});

it('takes nothing from a card without a head, or with one that does not end', () => {
  const nothing = { tags: [], languages: [] };
  expect(readCard(undefined)).toEqual(nothing);
  expect(readCard('license: mit')).toEqual(nothing);
  expect(readCard('---\nlicense: mit')).toEqual(nothing);
});

it('puts how to sample before the name, and the license and tags after the size', () => {
  const entries = generalEntries({
    name: 'x',
    weights: 7e9,
    generation: { top_k: 50, temperature: 0.5, top_p: 'much' },
    card: { license: 'mit', tags: ['a'], languages: [] },
  });
  expect(entries).toEqual([
    ['general.type', { type: 'string', value: 'model' }],
    ['general.sampling.top_k', { type: 'i32', value: 50 }],
    ['general.sampling.temp', { type: 'f32', value: 0.5 }],
    ['general.name', { type: 'string', value: 'x' }],
    ['general.size_label', { type: 'string', value: '7.0B' }],
    ['general.license', { type: 'string', value: 'mit' }],
    ['general.tags', { type: 'array', of: 'string', value: ['a'] }],
  ]);
});
