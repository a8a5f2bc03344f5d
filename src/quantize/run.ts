/**
 * Carries out a plan: one pass over the input. Each chunk of rows is read once, encoded once in every format
 * that any output wants, and written to every file at its place. Bounded memory; the bytes do not depend on
 * threads, memory, or on how often the run was cut off and resumed.
 */
import { BitmillError, type Executor, inputError, type Progress } from '../core/index.ts';
import { type EncodeInput, type EncodeOutput, encodeJob, type FormatName } from '../quants/index.ts';
import { type Chunk, chunkMemory, type Destination, planChunks } from './chunks.ts';
import { type ChunkSums, interrupted, Journal } from './journal.ts';
import { planKey } from './key.ts';
import { describeFiles, type FileResult, finishedBefore, writeManifest } from './manifest.ts';
import type { Plan, PlannedFile } from './plan.ts';
import type { NewHasher, PartialFile, Workspace } from './workspace.ts';

/** Bytes read at once where whole files are hashed. */
const HASH_STEP = 8 << 20;
/** Hex digits of a chunk's checksum in the journal. */
const SUM_DIGITS = 16;

export interface RunSettings {
  readonly workspace: Workspace;
  readonly executor: Executor;
  readonly newHasher: NewHasher;
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

  #sum(bytes: Uint8Array): string {
    return this.#settings.newHasher().update(bytes).hex().slice(0, SUM_DIGITS);
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
      else if (this.#sum(await partial.read(destination.offset, destination.bytes)) !== sum) {
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
    const input: EncodeInput = { source: format.name as FormatName, bytes, cols: shape[0], targets };
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
      formats.map((name, i) => [name, this.#sum(output.encoded[i])]),
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

  /** Hashes the files, and gives them their names. */
  async finish(): Promise<void> {
    const { workspace, progress } = this.#settings;
    const partials = this.#outputs.filter(({ partial }) => partial !== undefined);
    progress.start(
      'hashing',
      partials.reduce((sum, { planned }) => sum + planned.layout.size, 0),
      'bytes',
    );
    let done = 0;
    for (const output of partials) {
      const { partial, planned } = output;
      if (!partial) continue;
      const hash = this.#settings.newHasher();
      for (let at = 0; at < planned.layout.size; at += HASH_STEP) {
        const step = Math.min(HASH_STEP, planned.layout.size - at);
        hash.update(await partial.read(at, step));
        done += step;
        progress.update(done, planned.name);
      }
      output.sha256 = hash.hex();
      await partial.sync();
      await this.#journal.addWhole(planned.name, output.sha256);
      await partial.close();
      await workspace.finish(planned.name);
    }
    progress.stop();
  }
}

async function hashOf(workspace: Workspace, name: string, newHasher: NewHasher): Promise<string> {
  const source = await workspace.open(name);
  try {
    const hash = newHasher();
    for (let at = 0; at < source.size; at += HASH_STEP) {
      hash.update(await source.read(at, Math.min(HASH_STEP, source.size - at)));
    }
    return hash.hex();
  } finally {
    await source.close();
  }
}

/** Opens what is to be written; files that are whole already, with the right hash, are left alone. */
async function openOutputs(
  plan: Plan,
  key: string,
  journal: Journal,
  { workspace, newHasher }: RunSettings,
): Promise<Output[]> {
  const before = await finishedBefore(workspace, key);
  const outputs: Output[] = [];
  try {
    for (const planned of plan.files) {
      const { name, layout } = planned;
      const sha256 = journal.whole(name) ?? before.get(name);
      const whole = sha256 !== undefined && (await workspace.hasWhole(name, layout.size));
      if (whole && (await hashOf(workspace, name, newHasher)) === sha256) {
        outputs.push({ planned, partial: undefined, sha256 });
        continue;
      }
      const fresh = journal.state !== 'resumed' || !(await workspace.hasPartial(name, layout.size));
      const partial = await workspace.openPartial(name, layout.size, fresh);
      outputs.push({ planned, partial, sha256: undefined });
      await partial.write(0, layout.header);
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
  const key = planKey(plan, settings.identity, settings.newHasher);
  const journal = await Journal.open(workspace, key, plan.files);
  let finished = false;
  try {
    if (journal.state === 'changed') {
      progress.warn(`${workspace.name}: an unfinished run had other settings or input; starting anew`);
    }
    const outputs = await openOutputs(plan, key, journal, settings);
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
    await writeManifest(workspace, plan, key, new Map(files.map(({ name, sha256 }) => [name, sha256])));
    finished = true;
    const seconds = (performance.now() - started) / 1000;
    return { files, encodeSeconds: run.encodeSeconds, resumedBytes: run.resumedBytes, seconds };
  } finally {
    await journal.close(finished);
  }
}
