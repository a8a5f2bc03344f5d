/** The first steps: the hashes of what is read, and the original as a GGUF. */
import path from 'node:path';
import { z } from 'zod';
import { BitmillError, type Progress } from '../../core/index.ts';
import { folderWorkspace } from '../../platform/index.ts';
import type { QuantSet, SetFile } from '../../report/index.ts';
import { convertCheckpoint } from '../converting.ts';
import { formatSize } from '../terminal.ts';
import { inStep, keyOf, type MakeContext, runStep, withPool } from './context.ts';
import type { CheckpointSource, Source } from './source.ts';

export type SetInput = QuantSet['inputs'][number];

/** What was read, by role; files of a checkpoint by name, of the others the hash. */
export interface Inputs {
  readonly list: readonly SetInput[];
  /** SHA-256 of the files that make the original. */
  readonly original: readonly SetFile[];
  readonly calibration: string;
  readonly evaluation: string | undefined;
  readonly exam: string | undefined;
}

/** The original model, ready to be used. */
export interface Original {
  /** To open it: the file, or the first shard. */
  readonly file: string;
  readonly files: readonly SetFile[];
  /** Of all files together. */
  readonly identity: string;
}

type Named = readonly [role: SetInput['role'], file: string];

function namedInputs({ settings }: MakeContext, source: Source): Named[] {
  const { calibration, evaluation, exam, recipes } = settings;
  return [
    ...source.inputs.map((file): Named => ['checkpoint', file]),
    ['calibration', calibration.file],
    ...(evaluation ? [['evaluation', evaluation.file] as const] : []),
    ...(exam === undefined ? [] : [['exam', exam] as const]),
    ...recipes.files.map((file): Named => ['recipe', file]),
  ];
}

/** Hashes everything that is read, on the journal's threads; unchanged files are not read again. */
export async function hashInputs(context: MakeContext, source: Source): Promise<Inputs> {
  const { journal, progress } = context;
  const own = progress.begin('inputs');
  const named = namedInputs(context, source);
  own.progress.start('hashing', named.length, 'files');
  let done = 0;
  const list = await Promise.all(
    named.map(async ([role, file]): Promise<SetInput> => {
      const { sha256, bytes } = await journal.fileOf(file);
      own.progress.update(++done, path.basename(file));
      return { role, name: path.basename(file), bytes, sha256 };
    }),
  ).catch((error: unknown) => {
    own.finish('failed');
    throw inStep('inputs', error);
  });
  await journal.save();
  own.finish('done');
  const first = (wanted: SetInput['role']) => list.find(({ role }) => role === wanted)?.sha256;
  const original = list.filter(({ role }) => role === 'checkpoint').map(({ role: _, ...file }) => file);
  return {
    list,
    original,
    calibration: first('calibration') ?? '',
    evaluation: first('evaluation'),
    exam: first('exam'),
  };
}

/** @throws resources error: the disk is too small for a file. */
async function checkSpace(folder: string, file: string, bytes: number): Promise<void> {
  const free = await (await folderWorkspace(folder)).free();
  if (free === undefined || free >= bytes) return;
  throw new BitmillError(
    'resources',
    `${path.join(folder, file)}: takes ${formatSize(bytes)}, but ${formatSize(free)} are free`,
  );
}

/** `name-BF16.gguf`, after the type of its matrices. */
function convertedName({ name, plan }: CheckpointSource): string {
  return `${name}-${plan.dtype.toUpperCase()}.gguf`;
}

async function convert(context: MakeContext, source: CheckpointSource, progress: Progress): Promise<null> {
  const { files, checkpoint, plan } = source;
  const folder = context.settings.output;
  const output = convertedName(source);
  await checkSpace(folder, output, plan.layout.size);
  await withPool(context, (executor) =>
    convertCheckpoint(files, checkpoint, plan, path.join(folder, output), {
      ...{ executor, progress, allowNonFinite: false },
    }),
  );
  return null;
}

/** Converts a checkpoint, or takes the GGUF as it is. */
export async function makeOriginal(context: MakeContext, source: Source, inputs: Inputs): Promise<Original> {
  if (source.kind === 'gguf') {
    const files = inputs.original;
    return { file: source.file, files, identity: identityOf(files) };
  }
  const output = convertedName(source);
  // Small files of the checkpoint are in the header, each in the form that counts.
  const weights = inputs.original.filter(({ name }) => name.endsWith('.safetensors'));
  const { record } = await runStep(context, {
    id: 'convert',
    depends: [output, source.header, weights.map(({ name, sha256 }) => [name, sha256])],
    files: () => [output],
    result: z.null(),
    work: (progress) => convert(context, source, progress),
  });
  const { outputs: files } = record;
  return { file: path.join(context.settings.output, output), files, identity: identityOf(files) };
}

/** One hash of all shards. */
function identityOf(files: readonly SetFile[]): string {
  return files.length === 1
    ? files[0].sha256
    : keyOf(
        'model',
        files.map(({ sha256 }) => sha256),
      );
}
