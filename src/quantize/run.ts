/**
 * Carries out a plan: one pass over the input. Each chunk of rows is read once, encoded once in every format
 * that any output wants, and written to every file at its place. Bounded memory; the bytes do not depend on
 * threads, memory, or on how often the run was cut off and resumed.
 */
import { BitmillError, type Executor, inputError, type Progress } from '../core/index.ts';
import {
  type EncodeInput,
  type EncodeOutput,
  encodeJob,
  type FormatName,
  formatName,
} from '../quants/index.ts';
import { type Chunk, chunkMemory, type Destination, planChunks } from './chunks.ts';
import { type ChunkSums, interrupted, Journal } from './journal.ts';
import { type PlanKeys, planKeys } from './key.ts';
import { describeFiles, type FileResult, finishedBefore, writeManifest } from './manifest.ts';
import type { Plan, PlannedFile } from './plan.ts';
import type { Checksum, NewHasher, PartialFile, Workspace } from './workspace.ts';

export interface RunSettings {
  readonly workspace: Workspace;
  readonly executor: Executor;
  /** For the plan's key. */
  readonly newHasher: NewHasher;
  /** For what the journal says of a chunk. */
  readonly checksum: Checksum;
  readonly progress: Progress;
  /** What tells the input from another file with the same header: sizes, times of change. */
  readonly identity: string;
  /** Bytes that chunks in flight may take together. */
  readonly memory: number;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly files: readonly FileResult[];
  /** Encoding time of each file type in seconds, summed over threads; shared encodings count for each. */
  readonly encodeSeconds: ReadonlyMap<string, number>;
  /** Bytes of the input that an earlier run had done. */
  readonly resumedBytes: number;
  readonly seconds: number;
}

/** An output file of the run: still partial, or whole from before. */
interface Output {
  readonly planned: PlannedFile;
  readonly partial: PartialFile | undefined;
  sha256: string | undefined;
}

class Run {
  readonly #plan: Plan;
  readonly #settings: RunSettings;
  readonly #journal: Journal;
  readonly #outputs: readonly Output[];
  readonly #inFlight = new Set<Promise<void>>();
  readonly #encodeSeconds = new Map<string, number>();
  #memory = 0;
  #done = 0;
  #resumed = 0;
  #error: unknown;

  constructor(plan: Plan, settings: RunSettings, journal: Journal, outputs: readonly Output[]) {
    this.#plan = plan;
    this.#settings = settings;
    this.#journal = journal;
    this.#outputs = outputs;
  }

  get encodeSeconds(): ReadonlyMap<string, number> {
    return this.#encodeSeconds;
  }

  get resumedBytes(): number {
    return this.#resumed;
  }

  /** Destinations whose bytes are not there yet: what the journal says is checked against the files. */
  async #pending(chunk: Chunk): Promise<Destination[]> {
    const sums = this.#journal.chunk(chunk.id);
    const pending: Destination[] = [];
    for (const destination of chunk.destinations) {
      const { partial } = this.#outputs[destination.file];
      if (!partial) continue;
      const sum = sums?.[destination.format];
      if (sum === undefined) pending.push(destination);
      else if (this.#settings.checksum(await partial.read(destination.offset, destination.bytes)) !== sum) {
        pending.push(destination);
      }
    }
    return pending;
  }

  /** Waits until `bytes` more fit into the budget and no more than one chunk waits for the workers. */
  async #room(bytes: number): Promise<void> {
    const { memory, executor } = this.#settings;
    while (
      this.#inFlight.size > 0 &&
      (this.#memory + bytes > memory || this.#inFlight.size > executor.threads)
    ) {
      await Promise.race(this.#inFlight);
    }
  }

  async #encode(chunk: Chunk, formats: readonly FormatName[], bytes: Uint8Array): Promise<EncodeOutput> {
    const { name, format, shape } = chunk.tensor;
    if (format.kind === 'integer') return { encoded: [bytes], milliseconds: [0], nonFinite: null };
    const { effort } = this.#plan.options;
    const targets = formats.map((target) => ({ format: target, importance: chunk.importance, effort }));
    const input: EncodeInput = { source: formatName(format), bytes, cols: shape[0], targets };
    const output = await this.#settings.executor.run(encodeJob, input, [bytes.buffer]);
    if (!output.nonFinite) return output;
    const { index, value } = output.nonFinite;
    throw inputError(
      `${this.#plan.model.name}: tensor ${name}`,
      `weight ${chunk.firstWeight + index} is ${value}; a model with such weights cannot be quantized`,
    );
  }

  async #write(
    pending: readonly Destination[],
    formats: readonly FormatName[],
    output: EncodeOutput,
  ): Promise<void> {
    for (const { file, format, offset } of pending) {
      const { planned, partial } = this.#outputs[file];
      const index = formats.indexOf(format);
      await partial?.write(offset, output.encoded[index]);
      const seconds = output.milliseconds[index] / 1000;
      this.#encodeSeconds.set(planned.type, (this.#encodeSeconds.get(planned.type) ?? 0) + seconds);
    }
  }

  async #finishChunk(chunk: Chunk, pending: readonly Destination[], bytes: Uint8Array): Promise<void> {
    const formats = [...new Set(pending.map(({ format }) => format))];
    const output = await this.#encode(chunk, formats, bytes);
    await this.#write(pending, formats, output);
    const sums: ChunkSums = Object.fromEntries(
      formats.map((name, i) => [name, this.#settings.checksum(output.encoded[i])]),
    );
    await this.#journal.addChunk(chunk.id, sums);
    this.#advance(chunk);
  }

  #advance(chunk: Chunk): void {
    this.#done += chunk.bytes;
    this.#settings.progress.update(this.#done, chunk.tensor.name);
  }

  /** Starts a chunk; its failure stops the run at the next chunk. */
  #start(chunk: Chunk, pending: readonly Destination[], bytes: Uint8Array): void {
    const cost = chunkMemory(chunk);
    this.#memory += cost;
    const task = this.#finishChunk(chunk, pending, bytes)
      .catch((error: unknown) => {
        this.#error ??= error;
      })
      .finally(() => {
        this.#memory -= cost;
        this.#inFlight.delete(task);
      });
    this.#inFlight.add(task);
  }

  /** Encodes and writes all that is not there yet. */
  async chunks(): Promise<void> {
    const { model } = this.#plan;
    try {
      for (const chunk of planChunks(this.#plan)) {
        const pending = await this.#pending(chunk);
        if (pending.length === 0) {
          this.#resumed += chunk.bytes;
          this.#advance(chunk);
          continue;
        }
        await this.#room(chunkMemory(chunk));
        if (this.#error !== undefined) break;
        if (this.#settings.signal?.aborted) throw interrupted();
        this.#start(chunk, pending, await model.read(chunk.tensor, chunk.offset, chunk.bytes));
      }
    } finally {
      await Promise.all(this.#inFlight);
    }
    if (this.#error !== undefined) throw this.#error;
  }

  async #finishFile(output: Output, partial: PartialFile): Promise<void> {
    const { workspace } = this.#settings;
    const { name } = output.planned;
    const sha256 = await workspace.hash(name, 'partial');
    await partial.sync();
    await this.#journal.addWhole(name, sha256);
    await partial.close();
    output.sha256 = sha256;
    await workspace.finish(name);
  }

  /** Hashes the files, and gives them their names. */
  async finish(): Promise<void> {
    const { progress } = this.#settings;
    const partials = this.#outputs.flatMap((output) =>
      output.partial ? [{ output, partial: output.partial }] : [],
    );
    progress.start('hashing', partials.length, 'files');
    let done = 0;
    const finishing = partials.map(async ({ output, partial }) => {
      await this.#finishFile(output, partial);
      done++;
      progress.update(done, output.planned.name);
    });
    // All must be at rest before an error is passed on: the caller closes the files.
    const failed = (await Promise.allSettled(finishing)).find((result) => result.status === 'rejected');
    progress.stop();
    if (failed) throw failed.reason;
  }
}

/** What stands of an output from earlier runs. */
interface Standing {
  readonly planned: PlannedFile;
  /** SHA-256 of the file if it is whole, with the right hash; it is left alone. */
  readonly sha256: string | undefined;
  /** Whether there is nothing of it to go on from. */
  readonly fresh: boolean;
}

async function inspectOutputs(
  plan: Plan,
  keys: PlanKeys,
  journal: Journal,
  { workspace }: RunSettings,
): Promise<Standing[]> {
  const before = await finishedBefore(workspace, keys);
  const found: Standing[] = [];
  for (const planned of plan.files) {
    const { name, layout } = planned;
    const sha256 = journal.whole(name) ?? before.get(name);
    const whole = sha256 !== undefined && (await workspace.hasWhole(name, layout.size));
    if (whole && (await workspace.hash(name, 'whole')) === sha256) {
      found.push({ planned, sha256, fresh: false });
    } else {
      const fresh = journal.state !== 'resumed' || !(await workspace.hasPartial(name, layout.size));
      found.push({ planned, sha256: undefined, fresh });
    }
  }
  return found;
}

/** Throws if the folder's disk cannot hold the files that are not begun yet. */
async function checkSpace(found: readonly Standing[], workspace: Workspace): Promise<void> {
  const needed = found.reduce((sum, { fresh, planned }) => sum + (fresh ? planned.layout.size : 0), 0);
  const free = await workspace.free();
  if (free === undefined || free >= needed) return;
  const [has, wants] = [free, needed].map((bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`);
  throw new BitmillError('resources', `${workspace.name}: the files take ${wants}, but ${has} are free`, {
    hint: 'ask for fewer types at once, or for another folder',
  });
}

/** Opens what is to be written. @throws resources error: the disk is too small. */
async function openOutputs(
  plan: Plan,
  keys: PlanKeys,
  journal: Journal,
  settings: RunSettings,
): Promise<Output[]> {
  const found = await inspectOutputs(plan, keys, journal, settings);
  await checkSpace(found, settings.workspace);
  const outputs: Output[] = [];
  try {
    for (const { planned, sha256, fresh } of found) {
      const { name, layout } = planned;
      const partial =
        sha256 === undefined ? await settings.workspace.openPartial(name, layout.size, fresh) : undefined;
      outputs.push({ planned, partial, sha256 });
      await partial?.write(0, layout.header);
    }
  } catch (error) {
    for (const { partial } of outputs) await partial?.close();
    throw error;
  }
  return outputs;
}

function results(plan: Plan, outputs: readonly Output[]): FileResult[] {
  const sums = new Map(outputs.map(({ planned, sha256 }) => [planned.name, sha256]));
  return describeFiles(plan).map(({ tensors: _, ...file }) => {
    const sha256 = sums.get(file.name);
    if (sha256 === undefined) throw new BitmillError('failure', `${file.name} was not finished`);
    return { ...file, sha256 };
  });
}

/**
 * Makes the files of a plan in the workspace, with a manifest beside them. A run that was cut off and is started
 * again with the same plan goes on; with another plan it starts anew and says so.
 * @throws input error: a weight that is NaN or infinite, an input that ends early.
 */
export async function runQuantization(plan: Plan, settings: RunSettings): Promise<RunResult> {
  const { workspace, progress } = settings;
  const started = performance.now();
  const keys = planKeys(plan, settings.identity, settings.newHasher);
  const journal = await Journal.open(workspace, keys.plan, plan.files);
  let finished = false;
  try {
    if (journal.state === 'changed') {
      progress.warn(`${workspace.name}: an unfinished run had other settings or input; starting anew`);
    }
    const outputs = await openOutputs(plan, keys, journal, settings);
    const run = new Run(plan, settings, journal, outputs);
    try {
      progress.start(
        'quantizing',
        plan.model.tensors.reduce((sum, { bytes }) => sum + bytes, 0),
        'bytes',
      );
      await run.chunks();
      progress.stop();
      await run.finish();
    } finally {
      progress.stop();
      for (const { partial, sha256 } of outputs) if (sha256 === undefined) await partial?.close();
    }
    const files = results(plan, outputs);
    await writeManifest(workspace, plan, keys, new Map(files.map(({ name, sha256 }) => [name, sha256])));
    finished = true;
    const seconds = (performance.now() - started) / 1000;
    return { files, encodeSeconds: run.encodeSeconds, resumedBytes: run.resumedBytes, seconds };
  } finally {
    await journal.close(finished);
  }
}
