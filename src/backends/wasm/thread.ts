/** What a thread of the engine does: it joins the crew, and then walks each tape that it is told of. */
import type { Job } from '../tape/job.ts';
import { instantiateEngine, type Kernel, kernelNames } from './engine.ts';
import { type Walker, walk } from './walk.ts';

/** The first message to a thread: where it works and which one it is. */
export interface Join {
  readonly kind: 'join';
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly thread: number;
  readonly threads: number;
}

export interface Work {
  readonly kind: 'work';
  readonly job: Job;
}

/** A thread's answer to each message; `error` says why it stopped, and `abandoned` that another one did. */
export interface ThreadReply {
  readonly error?: string;
  readonly abandoned?: boolean;
}

/** The view of the engine that one thread has. */
export function walker({ memory, module, thread, threads }: Omit<Join, 'kind'>): Walker {
  const names = kernelNames(module);
  const kernels = instantiateEngine(module, memory);
  const barrier: Kernel = kernels[names.indexOf('barrier_wait')];
  return { memory, kernels, names, barrier, thread, threads };
}

/** The body of a thread, whatever kind of worker it is: a handler of messages that answers each one. */
export function engineThread(answer: (reply: ThreadReply) => void): (message: Join | Work) => void {
  let own: Walker | undefined;
  return (message) => {
    try {
      if (message.kind === 'join') own = walker(message);
      else if (!own) throw new Error('a thread was given work before it joined the crew');
      else if (!walk(own, message.job)) return answer({ abandoned: true });
      answer({});
    } catch (error) {
      answer({ error: error instanceof Error ? error.message : String(error) });
    }
  };
}
