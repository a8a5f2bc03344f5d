/**
 * The crew: the threads that walk a tape together. With threads of its own the caller only posts the work and awaits
 * the answers; without, it walks the tape itself.
 */
import { BitmillError } from '../../core/index.ts';
import type { Crew, Job } from '../tape/job.ts';
import { type Join, type ThreadReply, type Work, walker } from './thread.ts';
import { abandon, walk } from './walk.ts';

/** A worker thread of any platform. It must run `engineThread`; a waiting one must not keep the process alive. */
export interface ThreadPort {
  post(message: unknown): void;
  onMessage(handler: (message: unknown) => void): void;
  /** Called once, when the thread ends without being told to. */
  onDeath(handler: (reason: string) => void): void;
  terminate(): Promise<void>;
}

export type SpawnThread = () => ThreadPort;

/** What a crew works on. */
export interface Site {
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
}

const COUNTER_BYTES = 4;

/** The caller as the only thread. */
export function inlineCrew(site: Site): Crew {
  const own = walker({ ...site, thread: 0, threads: 1 });
  let closed = false;
  return {
    threads: 1,
    counterBytes: COUNTER_BYTES,
    run: async (job) => {
      if (closed) throw closedError();
      walk(own, job);
    },
    close: async () => {
      closed = true;
    },
  };
}

function closedError(): Error {
  return new Error('the engine is closed');
}

/** One message to all threads that waits for their answers. */
interface Round {
  readonly missing: Set<number>;
  /** Where to say that a run is abandoned; undefined where no run is under way. */
  readonly barrier: number | undefined;
  error: Error | undefined;
  readonly done: () => void;
}

class WorkerCrew implements Crew {
  readonly counterBytes = COUNTER_BYTES;
  readonly #memory: WebAssembly.Memory;
  readonly #ports: readonly ThreadPort[];
  readonly #alive: Set<number>;
  #death: Error | undefined;
  #round: Round | undefined;

  constructor(memory: WebAssembly.Memory, ports: readonly ThreadPort[]) {
    this.#memory = memory;
    this.#ports = ports;
    this.#alive = new Set(ports.keys());
    ports.forEach((port, thread) => {
      port.onMessage((reply) => this.#answered(thread, reply as ThreadReply));
      port.onDeath((reason) => this.#died(thread, reason));
    });
  }

  get threads(): number {
    return this.#ports.length;
  }

  run(job: Job): Promise<void> {
    return this.all(() => ({ kind: 'work', job }), job.barrier);
  }

  /** Posts a message to every thread and awaits all answers, also after an error: then no thread is at work. */
  async all(message: (thread: number) => Join | Work, barrier?: number): Promise<void> {
    if (this.#death) throw this.#death;
    const missing = new Set(this.#alive);
    const round = await new Promise<Round>((resolve) => {
      const opened: Round = { missing, barrier, error: undefined, done: () => resolve(opened) };
      this.#round = opened;
      this.#ports.forEach((port, thread) => {
        port.post(message(thread));
      });
    });
    this.#round = undefined;
    if (round.error) throw round.error;
  }

  async close(): Promise<void> {
    this.#fail(new Error('the engine was closed during a run'));
    this.#death ??= closedError();
    await Promise.all(this.#ports.map((port) => port.terminate()));
    for (const thread of this.#alive) this.#leave(thread);
  }

  #answered(thread: number, { error }: ThreadReply): void {
    if (error !== undefined) this.#fail(new BitmillError('failure', `engine thread ${thread}: ${error}`));
    this.#leave(thread);
  }

  #died(thread: number, reason: string): void {
    this.#alive.delete(thread);
    const error = new BitmillError('resources', `engine thread ${thread} died: ${reason}`);
    this.#death ??= error;
    this.#fail(error);
    this.#leave(thread);
  }

  /** The first error of a round counts; the others only follow from it. */
  #fail(error: Error): void {
    const round = this.#round;
    if (!round || round.error) return;
    round.error = error;
    if (round.barrier !== undefined) abandon(this.#memory, round.barrier);
  }

  #leave(thread: number): void {
    if (this.#round?.missing.delete(thread) && this.#round.missing.size === 0) this.#round.done();
  }
}

/** A crew of worker threads. Resolves when all of them are ready. */
export async function workerCrew(site: Site, threads: number, spawn: SpawnThread): Promise<Crew> {
  const crew = new WorkerCrew(
    site.memory,
    Array.from({ length: threads }, () => spawn()),
  );
  try {
    await crew.all((thread) => ({ kind: 'join', ...site, thread, threads }));
  } catch (error) {
    await crew.close();
    throw error;
  }
  return crew;
}
