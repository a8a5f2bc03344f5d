/**
 * The journal of steps that make files: what each depended on, what came out, how long it took. A step is done when it
 * was recorded under the same key and its files are still there, byte for byte. Files are hashed once; later only where
 * their size or time of change differs from what was noted beside the hash.
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Executor } from '../../core/index.ts';
import { fileError, hashFile, isErrno, sha256, writeAtomically } from '../../platform/index.ts';

const STATE = 'state.json';

/** Counts changes of the form; another is forgotten, and all steps run again. */
const FORM = 1;

const seen = z.object({ bytes: z.number(), mtime: z.string(), sha256: z.string() });
const output = z.object({ name: z.string(), bytes: z.number(), sha256: z.string() });
const record = z.object({
  key: z.string(),
  outputs: z.array(output),
  result: z.unknown(),
  seconds: z.number(),
});
const state = z.object({
  form: z.literal(FORM),
  steps: z.record(z.string(), record),
  files: z.record(z.string(), seen),
});

export type StepOutput = z.infer<typeof output>;
export type StepRecord = z.infer<typeof record>;

/** JSON with the names of objects in order, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** The key of a step: SHA-256 over everything that decides its result. */
export function stepKey(...depends: readonly unknown[]): string {
  return sha256().update(canonicalJson(depends)).hex();
}

export class StepJournal {
  readonly #folder: string;
  readonly #file: string;
  readonly #executor: Executor;
  readonly #state: z.infer<typeof state>;
  /** The last save; the next waits for it, because steps that run side by side are done at any time. */
  #saved: Promise<void> = Promise.resolve();

  private constructor(folder: string, file: string, executor: Executor, known: z.infer<typeof state>) {
    this.#folder = folder;
    this.#file = file;
    this.#executor = executor;
    this.#state = known;
  }

  /**
   * @param folder where outputs are.
   * @param work folder of the journal.
   * @param executor hashes files.
   */
  static async open(folder: string, work: string, executor: Executor): Promise<StepJournal> {
    const file = path.join(work, STATE);
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return '';
      throw fileError(file, error);
    });
    return new StepJournal(folder, file, executor, parseState(text));
  }

  /** Whether a step of that name was recorded, under whatever key. */
  knows(id: string): boolean {
    return Object.hasOwn(this.#state.steps, id);
  }

  /** What a step took when it last ran. */
  secondsOf(id: string): number | undefined {
    return this.knows(id) ? this.#state.steps[id].seconds : undefined;
  }

  /** Names of the files that a step made when it last ran. */
  outputsOf(id: string): string[] {
    return this.knows(id) ? this.#state.steps[id].outputs.map(({ name }) => name) : [];
  }

  /** Size and SHA-256 of a file. @throws input error: it is not there. */
  async fileOf(file: string): Promise<{ bytes: number; sha256: string }> {
    const now = await look(file);
    const name = this.#nameOf(file);
    const known = Object.hasOwn(this.#state.files, name) ? this.#state.files[name] : undefined;
    if (known && known.bytes === now.bytes && known.mtime === now.mtime) return known;
    const noted = { ...now, sha256: await hashFile(file, this.#executor) };
    this.#state.files[name] = noted;
    return noted;
  }

  /** Notes the hash of a file that was just written. */
  async remember(file: string, hash: string): Promise<void> {
    this.#state.files[this.#nameOf(file)] = { ...(await look(file)), sha256: hash };
  }

  /** What was recorded, if the step is done. */
  async standing(id: string, key: string): Promise<StepRecord | undefined> {
    const found = this.knows(id) ? this.#state.steps[id] : undefined;
    if (found?.key !== key) return undefined;
    for (const { name, bytes, sha256: hash } of found.outputs) {
      const file = path.join(this.#folder, name);
      const info = await stat(file).catch(() => undefined);
      if (!info?.isFile() || info.size !== bytes || (await this.fileOf(file)).sha256 !== hash)
        return undefined;
    }
    return found;
  }

  /** Records a step as done. @param files its outputs, by their names in the folder. */
  async record(
    id: string,
    key: string,
    files: readonly string[],
    result: unknown,
    seconds: number,
  ): Promise<StepRecord> {
    const outputs: StepOutput[] = [];
    for (const name of files) {
      const { bytes, sha256: hash } = await this.fileOf(path.join(this.#folder, name));
      outputs.push({ name, bytes, sha256: hash });
    }
    const entry = { key, outputs, result, seconds };
    this.#state.steps[id] = entry;
    await this.save();
    return entry;
  }

  /** Writes what is known by then, one save after the other. */
  save(): Promise<void> {
    const write = (): Promise<void> => {
      const text = `${JSON.stringify(this.#state, null, 1)}\n`;
      return writeAtomically(this.#file, (sink) => sink.write(0, new TextEncoder().encode(text)));
    };
    // Whoever asked for the last one has heard of its failure.
    this.#saved = this.#saved.then(write, write);
    return this.#saved;
  }

  /** Relative to the folder: it may move as a whole. */
  #nameOf(file: string): string {
    return path.relative(path.resolve(this.#folder), path.resolve(file));
  }
}

function parseState(text: string): z.infer<typeof state> {
  try {
    return state.parse(JSON.parse(text));
  } catch {
    return { form: FORM, steps: {}, files: {} };
  }
}

async function look(file: string): Promise<{ bytes: number; mtime: string }> {
  const info = await stat(file, { bigint: true }).catch((error: unknown) => {
    throw fileError(file, error);
  });
  return { bytes: Number(info.size), mtime: String(info.mtimeNs) };
}
