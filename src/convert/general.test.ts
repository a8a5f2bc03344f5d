import { expect, it } from 'vitest';
import { nameOf, readCard, sizeLabel } from './general.ts';

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

it('reads the license of a model card and nothing that looks like one elsewhere', () => {
  expect(readCard('---\nlanguage: en\nlicense: mit\n---\ntext')).toEqual({ license: 'mit' });
  expect(readCard('license: mit')).toEqual({ license: undefined });
  expect(readCard('---\nlicense: a b\n---')).toEqual({ license: undefined });
});
