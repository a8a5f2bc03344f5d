/** Parsers of option values that several commands share. */
import { InvalidArgumentError } from 'commander';

/** Most worker threads that make sense to ask for. */
const MAX_THREADS = 1024;

/** `--threads N`. @throws InvalidArgumentError (usage, exit code 2). */
export function threadCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= MAX_THREADS) return count;
  throw new InvalidArgumentError(`must be a whole number from 1 to ${MAX_THREADS}`);
}
