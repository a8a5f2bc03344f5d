/** What the tasks of a job are expected to take, in advance: seconds of two cores, from measurements. */
import { stat } from 'node:fs/promises';
import { mixtureName } from '../../quantize/index.ts';
import type { Effort } from '../../quants/index.ts';
import type { Task } from './progress.ts';
import type { MakeSettings } from './settings.ts';
import type { Source } from './source.ts';
import type { StepJournal } from './steps.ts';

/** Seconds a unit, on two cores of a server. Only their proportions matter: what tasks take rescales them. */
const SECONDS = {
  hashByte: 1 / 1.2e9,
  convertByte: 1 / 400e6,
  /** A token through a weight in BF16, with and without the sums of squares. */
  importanceTokenWeight: 1 / 30e9,
  measureTokenWeight: 1 / 40e9,
  /** A weight in one file type. */
  quantizeWeight: { fast: 1 / 45e6, best: 1 / 12e6 } satisfies Record<Effort, number>,
  /** Statistics of a measured model; an engine that opens. */
  model: 0.8,
  errorsFile: 0.3,
  card: 3,
} as const;

/** Bytes of a text a token, about. */
const BYTES_A_TOKEN = 4;

async function bytesOf(files: readonly (string | undefined)[]): Promise<number> {
  const sizes = await Promise.all(
    files.map((file) =>
      file === undefined
        ? 0
        : stat(file).then(
            ({ size }) => size,
            () => 0,
          ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Tokens of a text that count: at most so many chunks. */
function tokensOf(bytes: number, chunks: number | undefined, contextSize: number): number {
  return Math.min(bytes / BYTES_A_TOKEN, (chunks ?? Number.POSITIVE_INFINITY) * contextSize);
}

/** All tasks of a job in order. What the journal has is expected to stand. */
export async function tasksOf(source: Source, settings: MakeSettings, journal: StepJournal): Promise<Task[]> {
  const { calibration, calibrationChunks, evaluation, evaluationChunks, exam, contextSize } = settings;
  const inputBytes = await bytesOf(source.inputs);
  const weights = source.kind === 'checkpoint' ? source.plan.weights : inputBytes / 2;
  const calibrated = tokensOf(await bytesOf([calibration.file]), calibrationChunks, contextSize);
  const evaluated = evaluation
    ? tokensOf(await bytesOf([evaluation.file]), evaluationChunks, contextSize)
    : 0;
  const asked = (await bytesOf([exam])) / BYTES_A_TOKEN;
  const types = settings.mixtures.map(mixtureName);
  const missing = types.filter((type) => !journal.knows(`quant:${type}`)).length;
  const task = (id: string, stage: string, seconds: number, more: Partial<Task> = {}): Task => ({
    ...{ id, stage, kind: stage },
    expected: journal.knows(id) ? 0 : seconds,
    ...more,
  });
  const measured = SECONDS.measureTokenWeight * weights * (evaluated + asked) + SECONDS.model;
  const share = evaluated / Math.max(1, evaluated + asked);
  const parts = evaluated > 0 && asked > 0 ? [share, 1 - share] : [1];
  const judge = (id: string) => task(`measure:${id}`, 'measure', measured, { item: id, parts });
  return [
    task('inputs', 'inputs', SECONDS.hashByte * inputBytes),
    ...(source.kind === 'checkpoint' ? [task('convert', 'convert', SECONDS.convertByte * 2 * weights)] : []),
    task('imatrix', 'imatrix', SECONDS.importanceTokenWeight * weights * calibrated),
    {
      ...{ id: 'quantize', stage: 'quantize', kind: 'quantize', parts: [0.95, 0.05] },
      expected: SECONDS.quantizeWeight[settings.effort] * weights * missing,
    },
    ...(evaluation || exam !== undefined ? [judge('original'), ...types.map(judge)] : []),
    task('errors', 'errors', SECONDS.errorsFile * types.length),
    task('card', 'card', SECONDS.card),
  ];
}
