/** What `make` starts from: a checkpoint that is to be converted, or a GGUF that is used where it is. */
import path from 'node:path';
import { type ConversionPlan, nameOf, planConversion } from '../../convert/index.ts';
import { inputError, type Progress } from '../../core/index.ts';
import { type Checkpoint, type CheckpointFiles, openCheckpoint } from '../../hf/index.ts';
import { resolveModel, sha256 } from '../../platform/index.ts';
import { modelName, withGguf } from '../gguf.ts';
import { checkOutputName } from '../quantizing.ts';

interface Common {
  /** The model's part of the output names. */
  readonly name: string;
  /** How the user's world calls it: a repository's id, or the name of a folder or file. */
  readonly source: string;
  /** Folder where texts are looked for. */
  readonly folder: string;
  readonly repository?: { readonly id: string; readonly commit: string };
  /** Files that decide what the original is. */
  readonly inputs: readonly string[];
}

export interface CheckpointSource extends Common {
  readonly kind: 'checkpoint';
  readonly files: CheckpointFiles;
  readonly checkpoint: Checkpoint;
  readonly plan: ConversionPlan;
  /** SHA-256 of the converted file's header, which all small files of the checkpoint went into. */
  readonly header: string;
}

export interface GgufSource extends Common {
  readonly kind: 'gguf';
  /** The file as it was named. */
  readonly file: string;
}

export type Source = CheckpointSource | GgufSource;

/** Files that tell which were opened. */
function watched(files: CheckpointFiles, opened: Set<string>): CheckpointFiles {
  return {
    ...files,
    open: async (file) => {
      const source = await files.open(file);
      if (source) opened.add(file);
      return source;
    },
  };
}

/** A name as part of file names: what separates words or folders there becomes a dash. */
function fileNameOf(name: string): string {
  return name.replace(/[\s/\\]+/g, '-');
}

async function openGgufSource(file: string, wanted: string | undefined): Promise<GgufSource> {
  return withGguf(file, async ({ tensors, shards }) => {
    const coded = tensors.find(({ format }) => format.kind === 'quantized');
    if (coded) {
      throw inputError(
        file,
        `is quantized already (${coded.name} is ${coded.format.name})`,
        'start from the checkpoint, or from its F32, F16 or BF16 conversion',
      );
    }
    const name = wanted ?? modelName(file);
    checkOutputName(name);
    return {
      kind: 'gguf',
      ...{ name, file, inputs: shards, source: path.basename(file), folder: path.dirname(file) },
    };
  });
}

async function openCheckpointSource(
  place: string,
  wanted: string | undefined,
  progress: Progress,
): Promise<CheckpointSource> {
  // A folder called `.` has a name all the same.
  const named = /^\.{0,2}$/.test(path.basename(place)) ? path.resolve(place) : place;
  const { folder, files, origin } = await resolveModel(named, { progress });
  const opened = new Set<string>();
  const checkpoint = await openCheckpoint(watched(files, opened));
  try {
    const options = { dtype: 'auto', name: wanted, warn: progress.warn } as const;
    const plan = await planConversion(checkpoint, options);
    const name = fileNameOf(wanted ?? nameOf(files.name));
    checkOutputName(name);
    return {
      kind: 'checkpoint',
      ...{ name, folder, files, checkpoint, plan },
      source: origin?.repository ?? nameOf(files.name),
      ...(origin ? { repository: { id: origin.repository, commit: origin.commit } } : {}),
      inputs: [...opened].sort().map((file) => path.join(folder, file)),
      header: sha256().update(plan.layout.header).hex(),
    };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/**
 * Opens what `make` starts from; reads headers, no weights.
 * @param wanted `--name`.
 * @throws input error: neither a checkpoint that can be converted nor a GGUF that is not quantized.
 */
export function openSource(place: string, wanted: string | undefined, progress: Progress): Promise<Source> {
  return /\.gguf$/i.test(place)
    ? openGgufSource(place, wanted)
    : openCheckpointSource(place, wanted, progress);
}

export async function closeSource(source: Source): Promise<void> {
  if (source.kind === 'checkpoint') await source.checkpoint.close();
}
