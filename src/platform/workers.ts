/** A pool of worker threads that run jobs by name. The worker is the compiled file beside this one. */
import os from 'node:os';
import { Worker } from 'node:worker_threads';
import { BitmillError, type Executor, type Job } from '../core/index.ts';

/** Run from source (tests), the worker is the compiled one: Node 20 does not run TypeScript. */
const ENTRY = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/platform/worker.js', import.meta.url)
  : new URL('./worker.js', import.meta.url);

/** What a worker is told. */
export interface WorkerRequest {
  readonly id: number;
  readonly job: string;
  readonly input: unknown;
}

/** What a worker answers: a result, or the error as plain data (classes do not survive the copy). */
export interface WorkerReply {
  readonly id: number;
  readonly output?: unknown;
  readonly error?: {
    readonly message: string;
    readonly stack?: string;
    readonly kind?: BitmillError['kind'];
  };
}

interface Waiting {
  readonly request: WorkerRequest;
  readonly transfer: ArrayBufferLike[];
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: Error) => void;
}

class WorkerPool implements Executor {
  readonly threads: number;
  readonly #idle: Worker[] = [];
  readonly #all: Worker[] = [];
  readonly #queue: Waiting[] = [];
  readonly #running = new Map<number, { worker: Worker; waiting: Waiting }>();
  #nextId = 0;
  #closed = false;

  constructor(threads: number) {
    this.threads = threads;
  }

  run<I, O>(job: Job<I, O>, input: I, transfer: ArrayBufferLike[] = []): Promise<O> {
    if (this.#closed) return Promise.reject(new Error('the worker pool is closed'));
    return new Promise<O>((resolve, reject) => {
      const request = { id: this.#nextId++, job: job.name, input };
      this.#queue.push({ request, transfer, resolve: (output) => resolve(output as O), reject });
      this.#pump();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }

  #pump(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? this.#spawn();
      if (!worker) return;
      const waiting = this.#queue.shift();
      if (!waiting) return;
      this.#running.set(waiting.request.id, { worker, waiting });
      // A worker keeps the process alive while it works, not while it waits.
      worker.ref();
      worker.postMessage(waiting.request, waiting.transfer as ArrayBuffer[]);
    }
  }

  /** A new worker, or undefined when there are `threads` already. */
  #spawn(): Worker | undefined {
    if (this.#all.length >= this.threads) return undefined;
    const worker = new Worker(ENTRY);
    worker.on('message', (reply: WorkerReply) => this.#finish(worker, reply));
    worker.on('error', (error) => this.#lose(worker, error));
    this.#all.push(worker);
    return worker;
  }

  #finish(worker: Worker, reply: WorkerReply): void {
    const entry = this.#running.get(reply.id);
    this.#running.delete(reply.id);
    worker.unref();
    this.#idle.push(worker);
    if (reply.error) {
      const { message, stack, kind } = reply.error;
      const error = kind ? new BitmillError(kind, message) : new Error(message);
      if (stack) error.stack = stack;
      entry?.waiting.reject(error);
    } else {
      entry?.waiting.resolve(reply.output);
    }
    this.#pump();
  }

  /** A worker died (out of memory, a fault): its job fails, the others go on. */
  #lose(worker: Worker, cause: unknown): void {
    this.#all.splice(this.#all.indexOf(worker), 1);
    for (const [id, entry] of this.#running) {
      if (entry.worker !== worker) continue;
      this.#running.delete(id);
      const message = cause instanceof Error ? cause.message : String(cause);
      entry.waiting.reject(new BitmillError('resources', `a worker thread stopped: ${message}`, { cause }));
    }
    this.#pump();
  }
}

/** Cores that this process may use. */
export function availableThreads(): number {
  return os.availableParallelism();
}

/** @param threads worker threads; default: the available cores. */
export function workerPool(threads = availableThreads()): Executor {
  return new WorkerPool(threads);
}
