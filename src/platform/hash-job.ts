/** SHA-256 of a file as a job for a worker: hashing is as slow as quick encoders, so files share the threads. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Executor, Job } from '../core/index.ts';
import { fileError } from './files.ts';

/** Bytes read at once. */
const STEP = 4 << 20;

export const hashFileJob: Job<{ readonly file: string }, string> = {
  name: 'platform.hashFile',
  run: async ({ file }) => {
    const hash = createHash('sha256');
    try {
      for await (const bytes of createReadStream(file, { highWaterMark: STEP })) hash.update(bytes);
    } catch (error) {
      throw fileError(file, error);
    }
    return hash.digest('hex');
  },
};

/** SHA-256 of a file, lower-case hex. */
export function hashFile(file: string, executor: Executor): Promise<string> {
  return executor.run(hashFileJob, { file });
}
