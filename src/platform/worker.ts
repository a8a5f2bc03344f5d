/** Entry file of a worker thread: runs jobs by name. Adding a job = one name in ALL. */
import { parentPort } from 'node:worker_threads';
import { convertJob } from '../convert/index.ts';
import { BitmillError, type Job } from '../core/index.ts';
import { encodeJob, errorJob } from '../quants/index.ts';
import { hashFileJob } from './hash-job.ts';
import type { WorkerReply, WorkerRequest } from './workers.ts';

// biome-ignore lint/suspicious/noExplicitAny: jobs of different types share one table; callers are typed by Job.
const ALL: readonly Job<any, any>[] = [encodeJob, convertJob, hashFileJob, errorJob];
const JOBS = new Map(ALL.map((job) => [job.name, job]));

function failure(error: unknown): NonNullable<WorkerReply['error']> {
  if (!(error instanceof Error)) return { message: String(error) };
  return {
    message: error.message,
    ...(error.stack ? { stack: error.stack } : {}),
    ...(error instanceof BitmillError ? { kind: error.kind } : {}),
  };
}

async function handle({ id, job: name, input }: WorkerRequest): Promise<void> {
  try {
    const job = JOBS.get(name);
    if (!job) throw new Error(`no job "${name}" in worker.ts`);
    const output = await job.run(input);
    const transfer = [...new Set(job.transferOutput?.(output) ?? [])] as ArrayBuffer[];
    parentPort?.postMessage({ id, output } satisfies WorkerReply, transfer);
  } catch (error) {
    parentPort?.postMessage({ id, error: failure(error) } satisfies WorkerReply);
  }
}

parentPort?.on('message', (request: WorkerRequest) => void handle(request));
