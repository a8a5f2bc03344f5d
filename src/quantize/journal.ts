/**
 * The journal of a run: what is done, one JSON line each, so that a run that was cut off (a crash, kill -9) goes
 * on where it stopped. The first line names the plan; lines of another plan, and a last line that was torn, are
 * not trusted. Chunks carry a checksum of their bytes and are checked against the file before they count.
 */
import { BitmillError } from '../core/index.ts';
import { baseName } from './metadata.ts';
import type { Log, Workspace } from './workspace.ts';

const JOURNAL = '.bitmill-quantize.journal';

/** Checksum of a chunk's bytes by format. */
export type ChunkSums = Readonly<Record<string, number>>;

interface Lines {
  /** By chunk id. */
  readonly chunks: Map<string, ChunkSums>;
  /** SHA-256 of whole files, by name. */
  readonly whole: Map<string, string>;
}

export class Journal {
  readonly #workspace: Workspace;
  readonly #log: Log;
  readonly #lines: Lines;
  /** `new`: nothing to go on from. `resumed`: the same plan. `changed`: another plan's journal was dropped. */
  readonly state: 'new' | 'resumed' | 'changed';

  private constructor(workspace: Workspace, log: Log, lines: Lines, state: Journal['state']) {
    this.#workspace = workspace;
    this.#log = log;
    this.#lines = lines;
    this.state = state;
  }

  /**
   * Opens the folder's journal for the plan with that key. Another plan's is dropped, and its partial files.
   * @param files those of the plan.
   */
  static async open(
    workspace: Workspace,
    key: string,
    files: readonly { readonly name: string }[],
  ): Promise<Journal> {
    const found = parse((await workspace.readText(JOURNAL)) ?? '');
    const same = found?.plan === key;
    if (!same) {
      for (const name of found?.files ?? []) await workspace.removePartial(name);
      await workspace.remove(JOURNAL);
    }
    const log = await workspace.openLog(JOURNAL);
    // After a torn line an empty one: the next must not continue it.
    const names = files.map(({ name }) => name);
    await log.append(same ? '' : JSON.stringify({ plan: key, files: names }));
    const state = same ? 'resumed' : found ? 'changed' : 'new';
    return new Journal(workspace, log, same ? found : { chunks: new Map(), whole: new Map() }, state);
  }

  chunk(id: string): ChunkSums | undefined {
    return this.#lines.chunks.get(id);
  }

  /** SHA-256 of a file that was whole when the run stopped. */
  whole(name: string): string | undefined {
    return this.#lines.whole.get(name);
  }

  async addChunk(id: string, sums: ChunkSums): Promise<void> {
    await this.#log.append(JSON.stringify({ chunk: id, sums }));
  }

  async addWhole(name: string, sha256: string): Promise<void> {
    await this.#log.append(JSON.stringify({ whole: name, sha256 }));
  }

  /** @param finished the run is complete: the journal goes. */
  async close(finished: boolean): Promise<void> {
    await this.#log.close();
    if (finished) await this.#workspace.remove(JOURNAL);
  }
}

function isSums(value: unknown): value is ChunkSums {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((sum) => typeof sum === 'number')
  );
}

interface Parsed extends Lines {
  readonly plan: string;
  /** Names of the files that the plan makes, without a folder. */
  readonly files: readonly string[];
}

function parseLine(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** A journal's text; undefined if it does not start with a plan. Lines that are not JSON are skipped. */
function parse(text: string): Parsed | undefined {
  const [first, ...rest] = text.split('\n').map(parseLine);
  if (typeof first['plan'] !== 'string' || !Array.isArray(first['files'])) return undefined;
  const files = first['files'].map((name) => baseName(String(name)));
  const parsed: Parsed = { plan: first['plan'], files, chunks: new Map(), whole: new Map() };
  for (const { chunk, sums, whole, sha256 } of rest) {
    if (typeof chunk === 'string' && isSums(sums)) {
      parsed.chunks.set(chunk, { ...parsed.chunks.get(chunk), ...sums });
    } else if (typeof whole === 'string' && typeof sha256 === 'string') {
      parsed.whole.set(whole, sha256);
    }
  }
  return parsed;
}

/** Raised where a run stops because it was asked to. */
export function interrupted(): BitmillError {
  return new BitmillError('failure', 'stopped; the same command goes on from here');
}
