/** The set that all steps made, as it is written to `bitmill.json`. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { SAMPLED_ROWS } from '../../evaluate/index.ts';
import { writeAtomically } from '../../platform/index.ts';
import {
  type ExamScore,
  QUANT_SET,
  type QuantEntry,
  type QuantSet,
  SET_FILE,
  type TensorErrors,
} from '../../report/index.ts';
import { VERSION } from '../version.ts';
import type { Judgement } from './measure-step.ts';
import type { SetInput } from './originals.ts';
import type { QuantMade } from './quants-step.ts';
import type { MakeSettings } from './settings.ts';

/** What the steps made. */
export interface SetParts {
  readonly settings: MakeSettings;
  readonly model: QuantSet['model'];
  readonly inputs: readonly SetInput[];
  readonly imatrix: NonNullable<QuantSet['imatrix']>;
  readonly quants: readonly QuantMade[];
  readonly judged: ReadonlyMap<string, Judgement>;
  readonly errors: ReadonlyMap<string, TensorErrors>;
  readonly commands: readonly string[];
  readonly steps: QuantSet['steps'];
}

function optional<Name extends string, V>(name: Name, value: V | undefined) {
  return (value === undefined ? {} : { [name]: value }) as { [key in Name]?: V };
}

function entryOf({ type, files, bitsPerWeight }: QuantMade, { judged, errors }: SetParts): QuantEntry {
  const judgement = judged.get(type);
  const own = errors.get(type);
  return {
    type,
    files: [...files],
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    bitsPerWeight,
    ...optional('figures', judgement?.measured?.figures),
    ...optional('exam', judgement?.exam),
    ...(own === undefined ? {} : { errors: { ...own } }),
  };
}

function evaluationOf({ settings, judged }: SetParts): QuantSet['evaluation'] {
  const original = judged.get('original');
  const { evaluation, contextSize } = settings;
  if (!evaluation || !original?.measured) return undefined;
  const { chunks, tokens, figures } = original.measured;
  return {
    text: path.basename(evaluation.file),
    ...{ chunks, contextSize, tokens, parseSpecial: evaluation.parseSpecial, figures },
    ...optional<'exam', ExamScore>('exam', original.exam),
  };
}

export function assembleSet(parts: SetParts): QuantSet {
  const { settings, model, inputs, imatrix, quants, errors, commands, steps } = parts;
  const entries = quants.map((quant) => entryOf(quant, parts));
  return QUANT_SET.parse({
    version: 1,
    bitmill: VERSION,
    model,
    inputs: [...inputs],
    imatrix,
    ...optional('evaluation', evaluationOf(parts)),
    computed: settings.computed,
    recipes: settings.recipes.set.name,
    effort: settings.effort,
    ...(errors.size > 0 ? { sampledRows: SAMPLED_ROWS } : {}),
    quants: entries.sort((a, b) => a.bytes - b.bytes || (a.type < b.type ? -1 : 1)),
    commands: [...commands],
    steps,
  });
}

/** Writes the set; a file that says the same already is left alone. */
export async function writeSet(folder: string, set: QuantSet): Promise<void> {
  const file = path.join(folder, SET_FILE);
  const text = `${JSON.stringify(set, null, 1)}\n`;
  if ((await readFile(file, 'utf8').catch(() => '')) === text) return;
  await writeAtomically(file, (sink) => sink.write(0, new TextEncoder().encode(text)));
}
