/** The options of `make`, checked, with the texts that they name or that lie beside the checkpoint. */
import path from 'node:path';
import { usageError } from '../../core/index.ts';
import { DEFAULT_BACKEND, exists } from '../../platform/index.ts';
import { type Mixture, mixtureName } from '../../quantize/index.ts';
import { EFFORTS, type Effort } from '../../quants/index.ts';
import type { QuantSet } from '../../report/index.ts';
import { choiceOf, type EngineFlags } from '../engine.ts';
import { parseBytes, parseChoice, parseCount, parseWhole } from '../option-values.ts';
import { type Recipes, readMixtures, readRecipes } from '../quantizing.ts';
import { type KldLimits, parseLimits } from './limits.ts';

/** What commander makes of the command line. */
export interface MakeFlags {
  readonly output: string;
  readonly types?: string;
  readonly calibration?: string;
  readonly chunks?: string;
  readonly eval: boolean;
  readonly evalText?: string;
  readonly evalChunks?: string;
  readonly ctxSize: string;
  readonly exam?: string;
  readonly parseSpecial?: boolean;
  readonly effort: string;
  readonly recipes: string[];
  readonly name?: string;
  readonly baseModel?: string;
  readonly maxKld: string[];
  readonly memory?: string;
  readonly threads?: string;
  /** Default: as for other commands. */
  readonly backend?: string;
  readonly level?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** A text and how to read it. */
export interface TextInput {
  readonly file: string;
  /** Whether `<|user|>` and the like are control tokens. */
  readonly parseSpecial: boolean;
}

export interface MakeSettings {
  readonly output: string;
  readonly mixtures: readonly Mixture[];
  /** As the user said it, for the command line that does the same. */
  readonly typesText: string | undefined;
  readonly recipes: Recipes;
  readonly effort: Effort;
  readonly contextSize: number;
  readonly calibration: TextInput;
  /** Chunks at most. */
  readonly calibrationChunks: number | undefined;
  readonly evaluation: TextInput | undefined;
  readonly evaluationChunks: number;
  /** Whether the user named that number. */
  readonly evaluationChunksAsked: boolean;
  readonly exam: string | undefined;
  readonly limits: KldLimits;
  readonly baseModel: string | undefined;
  /** What computes here, as the options and this machine have it. */
  readonly computed: NonNullable<QuantSet['computed']>;
  /** With that very backend and level. */
  readonly engine: Omit<EngineFlags, 'model'>;
  readonly threads: number | undefined;
  /** Bytes. */
  readonly memory: number | undefined;
}

const DEFAULT_EVALUATION_CHUNKS = 20;

/** Names under which texts are found beside a checkpoint. */
const BESIDE = { calibration: 'calibration.txt', evaluation: 'evaluation.txt', exam: 'exam.jsonl' } as const;

/** Tokens: fewer are not measured, more no model has. */
const [LEAST_CONTEXT, MOST_CONTEXT] = [4, 2 ** 20];

/** The file of an option, or the one beside the checkpoint. */
async function findText(
  named: string | undefined,
  folder: string,
  beside: string,
): Promise<{ file: string; found: boolean } | undefined> {
  if (named !== undefined) return { file: named, found: false };
  const file = path.join(folder, beside);
  return (await exists(file)) ? { file, found: true } : undefined;
}

async function textInput(
  flags: MakeFlags,
  named: string | undefined,
  folder: string,
  beside: string,
): Promise<TextInput | undefined> {
  const text = await findText(named, folder, beside);
  return text && { file: text.file, parseSpecial: flags.parseSpecial ?? text.found };
}

function mixturesOf({ types }: MakeFlags, { own }: Recipes): { mixtures: Mixture[]; typesText?: string } {
  if (types === undefined && own.length > 0) return { mixtures: [...own] };
  const typesText = types ?? 'all';
  return { mixtures: readMixtures(typesText, own), typesText };
}

/** Checks that need no file: called before anything is opened. */
export async function readSettings(flags: MakeFlags) {
  if (flags.output === '') throw usageError('--output: the folder has no name');
  const recipes = await readRecipes(flags.recipes);
  const { mixtures, typesText } = mixturesOf(flags, recipes);
  const whole = (option: string, text: string | undefined) =>
    text === undefined ? undefined : parseWhole(option, text, 1, 1e9);
  const limits = parseLimits(flags.maxKld, mixtures.map(mixtureName));
  if (!flags.eval && limits.some) throw usageError('--max-kld and --no-eval: nothing is measured to compare');
  const { name: backend, level } = await choiceOf({ backend: DEFAULT_BACKEND, ...flags });
  const computed = { backend, ...(level === undefined ? {} : { level }) };
  return {
    output: flags.output,
    mixtures,
    typesText,
    recipes,
    limits,
    effort: parseChoice('--effort', flags.effort, EFFORTS),
    contextSize: parseWhole('-c', flags.ctxSize, LEAST_CONTEXT, MOST_CONTEXT),
    calibrationChunks: whole('--chunks', flags.chunks),
    evaluationChunks: whole('--eval-chunks', flags.evalChunks) ?? DEFAULT_EVALUATION_CHUNKS,
    evaluationChunksAsked: flags.evalChunks !== undefined,
    baseModel: flags.baseModel,
    threads: flags.threads === undefined ? undefined : parseCount('--threads', flags.threads),
    memory: flags.memory === undefined ? undefined : parseBytes('--memory', flags.memory),
    computed,
    engine: {
      ...computed,
      attention: 'flash',
      cacheType: 'f32',
      ...(flags.threads === undefined ? {} : { threads: flags.threads }),
      ...(flags.memory === undefined ? {} : { memory: flags.memory }),
    },
  };
}

/**
 * Completes the settings by the texts. @param folder of the checkpoint.
 * @throws usage error: a text is neither named nor beside the checkpoint.
 */
export async function findTexts(
  flags: MakeFlags,
  settings: Awaited<ReturnType<typeof readSettings>>,
  folder: string,
): Promise<MakeSettings> {
  const calibration = await textInput(flags, flags.calibration, folder, BESIDE.calibration);
  if (!calibration) {
    throw usageError(
      'no calibration text: it decides which weights matter',
      `name one with --calibration FILE, or put a ${BESIDE.calibration} into the checkpoint's folder`,
    );
  }
  const evaluation = flags.eval
    ? await textInput(flags, flags.evalText, folder, BESIDE.evaluation)
    : undefined;
  if (flags.eval && !evaluation) {
    throw usageError(
      'no evaluation text: losses are measured on it',
      `name one with --eval-text FILE, or put an ${BESIDE.evaluation} into the checkpoint's folder; --no-eval measures nothing`,
    );
  }
  const exam = await findText(flags.exam, folder, BESIDE.exam);
  return { ...settings, calibration, evaluation, exam: exam?.file };
}
