/** A whole job: from a checkpoint to a measured and documented set of quants, each step only where it is needed. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type BitmillError, usageError } from '../../core/index.ts';
import { fileError, isSameFile, lockFolder, workerPool } from '../../platform/index.ts';
import { type QuantSet, type SetFile, type TensorErrors, WORK_FOLDER } from '../../report/index.ts';
import { withGguf } from '../gguf.ts';
import { terminalProgress } from '../terminal.ts';
import { makeCard } from './card-step.ts';
import { commandLines } from './command-lines.ts';
import { keyOf, type MakeContext } from './context.ts';
import { tasksOf } from './costs.ts';
import { measureErrors } from './errors-step.ts';
import { openExam } from './exam-step.ts';
import { modelFacts } from './facts.ts';
import { type ImportanceMade, makeImportance } from './importance-step.ts';
import { Interrupt } from './interrupt.ts';
import { type Judgement, Measuring } from './measure-step.ts';
import { hashInputs, type Inputs, makeOriginal, type Original } from './originals.ts';
import { JobProgress } from './progress.ts';
import { makeQuants, type QuantMade } from './quants-step.ts';
import { assembleSet, writeSet } from './set.ts';
import { findTexts, type MakeFlags, type MakeSettings, readSettings } from './settings.ts';
import { closeSource, openSource, type Source } from './source.ts';
import { StepJournal } from './steps.ts';

/** Threads that hash: more do not read faster. */
const HASHING_THREADS = 2;

export interface JobOutcome {
  readonly set: QuantSet;
  readonly settings: MakeSettings;
  /** Types that could not be made or measured. */
  readonly failures: readonly BitmillError[];
  readonly card: readonly string[];
}

function bytesOf(files: readonly SetFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** All models of the job, measured; nothing where no text and no exam is given. */
async function judge(
  context: MakeContext,
  original: Original,
  quants: readonly QuantMade[],
  inputs: Inputs,
): Promise<Map<string, Judgement>> {
  const { evaluation, exam, output } = context.settings;
  if (!evaluation && exam === undefined) return new Map();
  const paper = exam === undefined ? undefined : await openExam(exam, inputs.exam ?? '', original.file);
  return new Measuring(context, inputs.evaluation, paper).all(
    { id: 'original', file: original.file, identity: original.identity, bytes: bytesOf(original.files) },
    quants.map(({ type, files }) => ({
      id: type,
      file: path.join(output, files[0].name),
      bytes: bytesOf(files),
      identity:
        files.length === 1
          ? files[0].sha256
          : keyOf(
              'model',
              files.map(({ sha256 }) => sha256),
            ),
    })),
  );
}

/** Times of the steps that the set is made of. */
function stepTimes({ journal, settings }: MakeContext, quants: readonly QuantMade[]): QuantSet['steps'] {
  const models = ['original', ...quants.map(({ type }) => type)];
  const names = [
    ...['convert', 'imatrix', 'quantize'],
    ...(settings.evaluation ? models.map((id) => `measure:${id}`) : []),
    ...(settings.exam === undefined ? [] : models.map((id) => `exam:${id}`)),
    ...quants.map(({ type }) => `errors:${type}`),
  ];
  return names.flatMap((name) => {
    const seconds = journal.secondsOf(name);
    return seconds === undefined ? [] : [{ name: name.replace(':', ' '), seconds }];
  });
}

interface Made {
  readonly original: Original;
  readonly imatrix: ImportanceMade;
  readonly quants: readonly QuantMade[];
  readonly judged: ReadonlyMap<string, Judgement>;
  readonly errors: ReadonlyMap<string, TensorErrors>;
}

async function describe(
  context: MakeContext,
  source: Source,
  flags: MakeFlags,
  inputs: Inputs,
  { original, imatrix, quants, judged, errors }: Made,
): Promise<QuantSet> {
  const { settings } = context;
  const { repository } = source;
  const model = await withGguf(original.file, (file) =>
    modelFacts(file, original.files, {
      source: source.source,
      baseModel: settings.baseModel ?? repository?.id,
      revision: repository?.commit,
    }),
  );
  const names = [original.file, imatrix.file].map((file) => path.basename(file));
  return assembleSet({
    ...{ settings, model, quants, judged, errors, inputs: inputs.list, imatrix: imatrix.facts },
    commands: commandLines(source, settings, flags, names[0], names[1]),
    steps: stepTimes(context, quants),
  });
}

async function run(
  context: MakeContext,
  source: Source,
  flags: MakeFlags,
  interrupt: Interrupt,
): Promise<{ set: QuantSet; card: string[] }> {
  const inputs = await hashInputs(context, source);
  const original = await makeOriginal(context, source, inputs);
  const imatrix = await makeImportance(context, original, inputs, source.name);
  const quants = await makeQuants(context, original, imatrix, source.name, (work) => interrupt.during(work));
  const judged = await judge(context, original, quants, inputs);
  const errors = await measureErrors(context, original, imatrix, quants);
  const set = await describe(context, source, flags, inputs, { original, imatrix, quants, judged, errors });
  await writeSet(context.settings.output, set);
  const card = await makeCard(context, set, imatrix);
  await context.journal.save();
  return { set, card };
}

/** @throws usage error: the card would overwrite that of the checkpoint. */
async function protectCheckpoint(source: Source, output: string): Promise<void> {
  if (source.kind === 'checkpoint' && (await isSameFile(source.folder, output))) {
    throw usageError(`${output} is the checkpoint's own folder`, 'name another for the quants with -o');
  }
}

/** Does the job. @throws what stops it as a whole; what concerns one type only is among the failures. */
export async function make(checkpoint: string, flags: MakeFlags): Promise<JobOutcome> {
  const quiet = flags.quiet ?? false;
  const begun = await readSettings(flags);
  const source = await openSource(checkpoint, flags.name, terminalProgress({ quiet }));
  const hashing = workerPool(Math.min(begun.threads ?? HASHING_THREADS, HASHING_THREADS));
  let release: (() => Promise<void>) | undefined;
  let interrupt: Interrupt | undefined;
  try {
    const settings = await findTexts(flags, begun, source.folder);
    const { output } = settings;
    await protectCheckpoint(source, output);
    const work = path.join(output, WORK_FOLDER);
    await mkdir(work, { recursive: true }).catch((error: unknown) => {
      throw fileError(work, error);
    });
    release = await lockFolder(output);
    const journal = await StepJournal.open(output, work, hashing);
    const progress = new JobProgress(await tasksOf(source, settings, journal), { quiet });
    interrupt = new Interrupt(() => progress.stop());
    const failures: BitmillError[] = [];
    try {
      const made = await run({ settings, journal, progress, failures }, source, flags, interrupt);
      return { ...made, settings, failures };
    } finally {
      progress.stop();
    }
  } finally {
    interrupt?.close();
    await release?.();
    await hashing.close();
    await closeSource(source);
  }
}
