/** Files as byte sources and sinks, and output that appears whole or not at all. */
import type { Stats } from 'node:fs';
import {
  constants,
  type FileHandle,
  mkdir,
  open,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import path from 'node:path';
import {
  BitmillError,
  type ByteSink,
  type ByteSource,
  checkRange,
  inputError,
  type LocalFile,
} from '../core/index.ts';

/** Largest single read or write passed to the system; larger ones are split (Linux stops at 2 GiB). */
const MAX_TRANSFER = 1 << 30;

/** Whether an error is one of the system's with that code, such as `ENOENT`. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** An errno error as one sentence with the right exit code. */
export function fileError(file: string, error: unknown): BitmillError {
  const message = error instanceof Error ? error.message : String(error);
  if (isErrno(error, 'ENOENT')) return inputError(file, 'no such file or folder');
  if (isErrno(error, 'ENOTDIR')) return inputError(file, 'is not a folder');
  if (isErrno(error, 'EISDIR')) return inputError(file, 'is a folder, not a file');
  if (isErrno(error, 'ENOSPC'))
    return new BitmillError('resources', `${file}: the disk is full`, { cause: error });
  if (isErrno(error, 'EEXIST')) return inputError(file, 'is a file, not a folder');
  if (isErrno(error, 'ENAMETOOLONG')) return inputError(file, 'the name is too long');
  if (isErrno(error, 'EROFS'))
    return new BitmillError('resources', `${file}: the disk is read-only`, { cause: error });
  if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM'))
    return new BitmillError('resources', `${file}: permission denied`, { cause: error });
  return new BitmillError('failure', `${file}: ${message}`, { cause: error });
}

/** What tells a file from others that may come to stand under its path. */
export function localFile(
  file: string,
  { size, mtimeMs, ino }: Pick<Stats, 'size' | 'mtimeMs' | 'ino'>,
): LocalFile {
  return { path: path.resolve(file), size, mtimeMs, ino };
}

/** Opens a file for random-access reading. @throws input error: missing, or not a regular file. */
export async function openFile(file: string): Promise<ByteSource & { close(): Promise<void> }> {
  if (file === '') throw inputError('input', 'its name is empty');
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY);
  } catch (error) {
    throw fileError(file, error);
  }
  const info = await handle.stat();
  if (!info.isFile()) {
    await handle.close();
    throw inputError(file, info.isDirectory() ? 'is a folder, not a file' : 'is not a regular file');
  }
  const source = { name: file, size: info.size };
  return {
    ...source,
    file: localFile(file, info),
    read: async (offset, length) => {
      checkRange(source, offset, length);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const step = Math.min(MAX_TRANSFER, length - done);
        const { bytesRead } = await handle.read(bytes, done, step, offset + done);
        if (bytesRead === 0) throw inputError(file, `became shorter while it was read (at ${offset + done})`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

export interface FileSink extends ByteSink {
  /** Bytes written so far reach the disk. */
  sync(): Promise<void>;
  /** Whether it still stands under its name: no other run removed or replaced it. */
  inPlace(): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens (creates) a file for writing at offsets; existing bytes stay. */
async function openSink(file: string): Promise<FileSink> {
  let handle: FileHandle;
  try {
    await mkdir(path.dirname(path.resolve(file)), { recursive: true });
    handle = await open(file, constants.O_RDWR | constants.O_CREAT);
  } catch (error) {
    throw fileError(file, error);
  }
  return {
    name: file,
    write: async (offset, bytes) => {
      try {
        for (let done = 0; done < bytes.length; ) {
          const step = Math.min(MAX_TRANSFER, bytes.length - done);
          done += (await handle.write(bytes, done, step, offset + done)).bytesWritten;
        }
      } catch (error) {
        throw fileError(file, error);
      }
    },
    sync: () => handle.datasync(),
    inPlace: async () => {
      const [own, standing] = await Promise.all([
        handle.stat({ bigint: true }),
        stat(file, { bigint: true }).catch(() => undefined),
      ]);
      return own.ino === standing?.ino && own.dev === standing.dev;
    },
    close: () => handle.close(),
  };
}

/** Suffix of files that are not whole yet. */
export const PARTIAL = '.partial';

/**
 * Writes a file through `write`, under `<file>.partial` until it is whole; an error removes the partial file.
 * An existing file is replaced in one step.
 */
export async function writeAtomically(file: string, write: (sink: FileSink) => Promise<void>): Promise<void> {
  const partial = file + PARTIAL;
  if (file === '') throw inputError('output', 'its name is empty');
  if (await isFolder(file)) throw inputError(file, 'is a folder, not a file');
  await rm(partial, { force: true }).catch((error: unknown) => {
    throw fileError(file, error);
  });
  const sink = await openSink(partial);
  let ours = true;
  try {
    await write(sink);
    await sink.sync();
    // Another run that writes the same file has put its own partial file in this one's place: it must not be named.
    ours = await sink.inPlace();
    if (!ours) throw new BitmillError('failure', `${file}: another run is writing it`);
    await sink.close();
    await rename(partial, file);
  } catch (error) {
    await sink.close().catch(() => {});
    if (ours) await rm(partial, { force: true });
    throw error instanceof BitmillError ? error : fileError(file, error);
  }
}

/** Whether a folder stands under that path. */
export async function isFolder(file: string): Promise<boolean> {
  return stat(file).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

/** Whether both paths lead to one file, links followed. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((file) => realpath(file).catch(() => undefined)));
  return one !== undefined && one === other;
}

/** Whether something stands under that path. */
export async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** Largest file that readSmallText reads: a token, a reference. */
const SMALL_TEXT = 64 * 1024;

/** Text of a small file; undefined where there is none. */
export async function readSmallText(file: string): Promise<string | undefined> {
  const info = await stat(file).catch(() => undefined);
  if (!info?.isFile() || info.size > SMALL_TEXT) return undefined;
  return readFile(file, 'utf8').catch(() => undefined);
}
