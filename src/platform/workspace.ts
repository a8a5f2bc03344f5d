/** A folder of the file system as the workspace of a quantization, and SHA-256. */
import { createHash } from 'node:crypto';
import { constants, mkdir, open, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { BitmillError, type Executor, inlineExecutor, inputError } from '../core/index.ts';
import type { Checksum, Hasher, PartialFile, Workspace } from '../quantize/index.ts';
import { fileError, isFolder, PARTIAL, writeAtomically } from './files.ts';
import { hashFileJob } from './hash-job.ts';

/** SHA-256 by Node's crypto. */
export function sha256(): Hasher {
  const hash = createHash('sha256');
  const hasher: Hasher = {
    update: (bytes) => {
      hash.update(bytes);
      return hasher;
    },
    hex: () => hash.digest('hex'),
  };
  return hasher;
}

/** CRC-32 by zlib: several times quicker than SHA-256. */
export const checksum: Checksum = (bytes) => crc32(bytes);

/** Errors of the file system as ours, with the file's name. */
async function guard<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof BitmillError ? error : fileError(file, error);
  }
}

async function openPartial(file: string, size: number, fresh: boolean): Promise<PartialFile> {
  const handle = await open(file, constants.O_RDWR | constants.O_CREAT);
  if (fresh) await handle.truncate(0);
  await handle.truncate(size);
  return {
    name: file,
    write: (offset, bytes) =>
      guard(file, async () => {
        for (let done = 0; done < bytes.length; ) {
          done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
        }
      }),
    read: (offset, length) =>
      guard(file, async () => {
        const bytes = new Uint8Array(length);
        for (let done = 0; done < length; ) {
          const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0)
            throw inputError(file, `became shorter while it was written (at ${offset + done})`);
          done += bytesRead;
        }
        return bytes;
      }),
    sync: () => guard(file, () => handle.datasync()),
    close: () => handle.close(),
  };
}

async function hasSize(file: string, size: number): Promise<boolean> {
  return stat(file).then(
    (info) => info.isFile() && info.size === size,
    () => false,
  );
}

/** The workspace in a folder, which is made where it is missing. @param executor hashes the files. */
export async function folderWorkspace(
  folder: string,
  executor: Executor = inlineExecutor,
): Promise<Workspace> {
  await guard(folder, () => mkdir(folder, { recursive: true }));
  const at = (name: string) => path.join(folder, name);
  return {
    name: folder,
    free: () =>
      statfs(folder).then(
        ({ bavail, bsize }) => bavail * bsize,
        () => undefined,
      ),
    openPartial: (name, size, fresh) =>
      guard(at(name) + PARTIAL, async () => {
        // Said before the work, not when the file is to get its name.
        if (await isFolder(at(name))) throw inputError(at(name), 'is a folder, not a file');
        return openPartial(at(name) + PARTIAL, size, fresh);
      }),
    hasPartial: (name, size) => hasSize(at(name) + PARTIAL, size),
    hasWhole: (name, size) => hasSize(at(name), size),
    hash: (name, which) =>
      executor.run(hashFileJob, { file: at(name) + (which === 'partial' ? PARTIAL : '') }),
    finish: (name) => guard(at(name), () => rename(at(name) + PARTIAL, at(name))),
    readText: (name) =>
      readFile(at(name), 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw fileError(at(name), error);
      }),
    writeText: (name, text) =>
      writeAtomically(at(name), (sink) => sink.write(0, new TextEncoder().encode(text))),
    openLog: (name) =>
      guard(at(name), async () => {
        const handle = await open(at(name), 'a');
        // One write a line, one after the other: a kill tears the last line at most.
        let last = Promise.resolve();
        const append = async (line: string) => void (await handle.appendFile(`${line}\n`));
        return {
          append: (line) => {
            last = last.then(() => guard(at(name), () => append(line)));
            return last;
          },
          close: () => handle.close(),
        };
      }),
    remove: (name) => guard(at(name), () => rm(at(name), { force: true })),
    removePartial: (name) => guard(at(name), () => rm(at(name) + PARTIAL, { force: true })),
  };
}

/** Sizes and times of change of files: what tells a file from another that was put in its place. */
export async function fileIdentity(files: readonly string[]): Promise<string> {
  const infos = await Promise.all(files.map((file) => guard(file, () => stat(file, { bigint: true }))));
  return infos.map(({ size, mtimeNs }) => `${size}:${mtimeNs}`).join(' ');
}
