/** Output files of commands: never over an input, and nothing left of them after Ctrl-C. */
import { rmSync } from 'node:fs';
import { usageError } from '../core/index.ts';
import { type FileSink, isSameFile, PARTIAL, writeAtomically } from '../platform/index.ts';

/** What shells report of a program that SIGINT ended. */
const INTERRUPTED = 130;

/**
 * Writes a file through `write`; it appears when it is whole. Ctrl-C removes what is there of it and ends the process.
 * @param inputs paths (or addresses) that are read meanwhile.
 * @throws usage error: the output is one of them.
 */
export async function writeOutput(
  file: string,
  inputs: readonly string[],
  write: (sink: FileSink) => Promise<void>,
): Promise<void> {
  for (const input of inputs) {
    if (await isSameFile(file, input)) throw usageError(`${file} is the input itself`, 'name another output');
  }
  const stop = (): void => {
    rmSync(file + PARTIAL, { force: true });
    process.stderr.write(`\nstopped; ${file} was not written\n`);
    process.exit(INTERRUPTED);
  };
  process.once('SIGINT', stop);
  try {
    await writeAtomically(file, write);
  } finally {
    process.removeListener('SIGINT', stop);
  }
}
