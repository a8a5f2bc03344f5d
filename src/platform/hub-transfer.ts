/**
 * Receives one file of a hub into `<blob>.incomplete`, continuing where an earlier run stopped, and gives it
 * its name only when size and checksum are those that the hub announced.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { BitmillError } from '../core/index.ts';
import { exists, fileError } from './files.ts';
import type { HubFile } from './hub-api.ts';
import { HubError, type HubSettings, requestOnce, withRetries } from './hub-request.ts';

export const INCOMPLETE = '.incomplete';

/** Bytes read at a time when the part from an earlier run is hashed. */
const STEP = 1 << 20;

/** Bytes that must have come for earlier faults to be forgiven: a trickle must not go on for ever. */
const PROGRESS = 16 * 1024;

function startHash({ checksum, size }: HubFile): Hash {
  return checksum === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

/** A file that is being received: the bytes so far, on disk and in the hash. */
class Partial {
  readonly #file: HubFile;
  readonly #handle: FileHandle;
  readonly #path: string;
  #hash: Hash;
  position = 0;

  private constructor(file: HubFile, handle: FileHandle, path: string) {
    this.#file = file;
    this.#handle = handle;
    this.#path = path;
    this.#hash = startHash(file);
  }

  /** Opens what an earlier run left (more than the whole is dropped) and hashes it. */
  static async open(file: HubFile, path: string, onBytes: (bytes: number) => void): Promise<Partial> {
    let handle: FileHandle;
    try {
      handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    } catch (error) {
      throw fileError(path, error);
    }
    const partial = new Partial(file, handle, path);
    const { size } = await handle.stat();
    if (size > file.size) await handle.truncate(0);
    const buffer = new Uint8Array(Math.min(STEP, size));
    while (size <= file.size && partial.position < size) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, partial.position);
      if (bytesRead === 0) break;
      partial.#hash.update(buffer.subarray(0, bytesRead));
      partial.position += bytesRead;
      onBytes(bytesRead);
    }
    return partial;
  }

  restart(): void {
    this.#hash = startHash(this.#file);
    this.position = 0;
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.#handle.write(bytes, done, bytes.length - done, this.position + done))
          .bytesWritten;
      }
    } catch (error) {
      throw fileError(this.#path, error);
    }
    this.#hash.update(bytes);
    this.position += bytes.length;
  }

  /** Whether the bytes are those that the hub announced; ends the hash. */
  isRight(): boolean {
    return this.position === this.#file.size && this.#hash.digest('hex') === this.#file.oid;
  }

  async close(): Promise<void> {
    await this.#handle.datasync().catch(() => {});
    await this.#handle.close();
  }
}

/** Where a file comes from. */
export interface BlobSource {
  /** How messages call it. */
  readonly what: string;
  readonly url: string;
  readonly file: HubFile;
}

/** Adds the body of one answer to the partial file. */
async function receive(
  settings: HubSettings,
  { what, url, file: { size } }: BlobSource,
  partial: Partial,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const quiet = new AbortController();
  const timer = setTimeout(() => {
    quiet.abort(new Error(`no byte for ${settings.stallMs / 1000} s`));
  }, settings.stallMs);
  try {
    const headers = { range: `bytes=${partial.position}-${size - 1}` };
    const response = await requestOnce(settings, what, url, { headers, signal: quiet.signal });
    const from =
      response.status === 206 ? /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] : '0';
    if (from === '0' && partial.position > 0) {
      onBytes(-partial.position);
      partial.restart();
    } else if (Number(from) !== partial.position) {
      throw new HubError(
        `${what}: asked for bytes from ${partial.position}, the hub sends them from ${from}`,
      );
    }
    for await (const chunk of response.body ?? []) {
      timer.refresh();
      if (partial.position + chunk.length > size) {
        throw new HubError(`${what}: the hub sends more than the ${size} bytes that it announced`);
      }
      await partial.append(chunk);
      onBytes(chunk.length);
    }
    if (partial.position < size) throw new Error(`connection closed at byte ${partial.position} of ${size}`);
  } catch (error) {
    if (error instanceof BitmillError) throw error;
    const reason = quiet.signal.aborted ? quiet.signal.reason : error;
    throw new HubError(
      `${what}: the transfer broke off: ${reason instanceof Error ? reason.message : reason}`,
      {
        hint: 'What was received so far is kept; the same command continues.',
        cause: error,
        passing: true,
        reached: false,
      },
    );
  } finally {
    clearTimeout(timer);
    quiet.abort();
  }
}

/**
 * Receives a file into `blob`.
 * @param onBytes told of every step, the part from an earlier run included; negative when the hub starts over.
 * @throws HubError: lost for good, or other bytes than announced (those are removed); resources error: disk full.
 */
export async function receiveBlob(
  settings: HubSettings,
  source: BlobSource,
  blob: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { what, file } = source;
  const path = blob + INCOMPLETE;
  const partial = await Partial.open(file, path, onBytes);
  try {
    let reached = partial.position;
    const progressed = () => {
      const more = partial.position >= reached + PROGRESS;
      reached = partial.position;
      return more;
    };
    await withRetries(
      settings,
      async () => {
        if (partial.position < file.size) await receive(settings, source, partial, onBytes);
      },
      { progressed },
    );
  } finally {
    await partial.close();
  }
  if (!partial.isRight()) {
    await rm(path, { force: true });
    throw new HubError(
      `${what}: the bytes received do not have the ${file.checksum} that the hub announced; removed`,
      {
        hint: 'Run the command again; if it happens again, the hub or something on the way to it is broken.',
      },
    );
  }
  try {
    await rename(path, blob);
  } catch (error) {
    // Another process received the same file at the same time and was first.
    if (!(await exists(blob))) throw fileError(blob, error);
  }
}
