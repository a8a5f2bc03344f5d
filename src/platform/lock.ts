/** A lock on a folder, so that two runs do not write the same files: a file with the number of its process. */
import { rmSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { BitmillError } from '../core/index.ts';
import { fileError, isErrno } from './files.ts';

const LOCK = '.bitmill.lock';

/** Whether the process runs; one of another user counts. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}

/** A lock of this machine whose process is gone. What cannot be read, and other machines' locks, may be alive. */
function isStale(text: string): boolean {
  const match = /^(\d{1,10}) (.+)\n$/.exec(text);
  return match?.[2] === os.hostname() && !isRunning(Number(match[1]));
}

async function tryLock(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(`${process.pid} ${os.hostname()}\n`).finally(() => handle.close());
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw fileError(file, error);
  }
}

/**
 * Locks a folder that exists. A lock left by a process that is gone is taken over.
 * @returns what gives the lock back.
 * @throws failure: another run holds it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = path.join(folder, LOCK);
  // A process that ends in the middle (Ctrl-C) leaves no lock behind.
  const leave = () => rmSync(file, { force: true });
  const hold = (): (() => Promise<void>) => {
    process.once('exit', leave);
    return async () => {
      process.removeListener('exit', leave);
      await rm(file, { force: true });
    };
  };
  if (await tryLock(file)) return hold();
  const text = await readFile(file, 'utf8').catch(() => '');
  if (isStale(text)) {
    await rm(file, { force: true });
    if (await tryLock(file)) return hold();
  }
  const holder = text.trim().replace(' ', ' on ');
  throw new BitmillError(
    'failure',
    `${folder}: another run is writing here (process ${holder || 'unknown'})`,
    {
      hint: `wait for it; if there is none, remove ${file}`,
    },
  );
}
