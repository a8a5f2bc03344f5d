/** The command lines that make a set step by step: the same files, byte for byte. Names of files without folders. */
import path from 'node:path';
import { RECIPE_SETS } from '../../quantize/index.ts';
import { modelName } from '../gguf.ts';
import type { MakeFlags, MakeSettings } from './settings.ts';
import type { Source } from './source.ts';

/** A word as a shell takes it. */
function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function line(...words: readonly (string | readonly string[])[]): string {
  return ['bitmill', ...words.flat()].map(quotedWord).join(' ');
}

/** The context that the commands take without `-c`. */
const DEFAULT_CONTEXT = 512;

/** @param original file name. */
export function commandLines(
  source: Source,
  settings: MakeSettings,
  flags: Pick<MakeFlags, 'name'>,
  original: string,
  imatrix: string,
): string[] {
  const { contextSize, calibration, calibrationChunks, evaluation, evaluationChunks, recipes } = settings;
  const context = contextSize === DEFAULT_CONTEXT ? [] : ['-c', String(contextSize)];
  const special = (on: boolean) => (on ? ['--parse-special'] : []);
  const chunks = (count: number | undefined) => (count === undefined ? [] : ['--chunks', String(count)]);
  const sets = recipes.set.name === RECIPE_SETS[0].name ? [] : [recipes.set.name];
  const named = [...sets, ...recipes.files.map((file) => path.basename(file))];
  const { backend, level } = settings.computed;
  const computed = ['--backend', backend, ...(level === undefined ? [] : ['--level', level])];
  const lines: string[] = [];
  if (source.kind === 'checkpoint') {
    const name = flags.name === undefined ? [] : ['--name', flags.name];
    const place = source.repository ? `${source.repository.id}@${source.repository.commit}` : source.source;
    lines.push(line('convert', place, '-o', original, name));
  }
  const calibrated = ['-f', path.basename(calibration.file), ...context, ...chunks(calibrationChunks)];
  lines.push(
    line('imatrix', '-m', original, calibrated, special(calibration.parseSpecial), '-o', imatrix, computed),
    line(
      ...['quantize', original, '-o', '.'],
      settings.typesText === undefined ? [] : ['--types', settings.typesText],
      named.flatMap((name) => ['--recipes', name]),
      ...['--imatrix', imatrix],
      settings.effort === 'fast' ? [] : ['--effort', settings.effort],
      source.name === modelName(original) ? [] : ['--name', source.name],
    ),
  );
  if (evaluation) {
    const text = ['-f', path.basename(evaluation.file), ...context, ...chunks(evaluationChunks)];
    lines.push(
      line(
        'perplexity',
        '-m',
        original,
        text,
        special(evaluation.parseSpecial),
        '--save-kl-base',
        'base.gguf',
        computed,
      ),
      line('perplexity', '--models', '.', '--kl-base', 'base.gguf', computed),
    );
  }
  return lines;
}
