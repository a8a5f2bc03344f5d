/**
 * The engine's module on a few threads over one shared memory, for benchmarks: commands as the lowering makes them,
 * with a barrier after each. Threads spin a while before they sleep, so hardly a wake-up is timed.
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';

/** i32 words of the control block: number of the command, threads that finished it. */
const [GENERATION, DONE] = [0, 1];
/** The command in f64 from byte 64 on: kernel, number of arguments, arguments. */
const COMMAND = 64;
/** Looks at the control block before a thread sleeps: about a tenth of a millisecond. */
const SPINS = 20_000;
/** Private bytes of each thread. */
const SCRATCH = 1 << 20;
/** The module's static data lies below. */
const FIRST_ADDRESS = 4 << 20;

function instantiate({ bytes, memory, formats }) {
  const table = new WebAssembly.Table({ initial: formats.length + 64, element: 'anyfunc' });
  const abort = () => {
    throw new Error('a kernel aborted');
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    env: { memory, table, abort },
  });
  for (const [index, name] of formats.entries()) {
    table.set(index + 64, exports[`${name.toLowerCase()}_expand`] ?? null);
  }
  return exports;
}

function caller(exports, { control, thread, threads, scratch, counter }) {
  const kernels = Object.values(exports);
  const values = new Float64Array(control, COMMAND);
  return () => {
    const args = values.subarray(2, 2 + values[1]);
    kernels[values[0]](thread, threads, scratch + thread * SCRATCH, counter, ...args);
  };
}

function work(setup) {
  const call = caller(instantiate(setup), setup);
  const words = new Int32Array(setup.control);
  for (let seen = 0; ; seen++) {
    for (let spins = 0; spins < SPINS && Atomics.load(words, GENERATION) === seen; spins++);
    // A late notice of the command before may wake it: the number decides.
    while (Atomics.load(words, GENERATION) === seen) Atomics.wait(words, GENERATION, seen);
    call();
    Atomics.add(words, DONE, 1);
  }
}

/**
 * @param bytes the module. @param formats names of the formats whose expand kernels get slots.
 * @param megabytes size of the memory.
 */
export async function startThreads({ bytes, threads, formats, megabytes }) {
  const memory = new WebAssembly.Memory({ initial: megabytes * 16, maximum: 65536, shared: true });
  let top = FIRST_ADDRESS;
  const alloc = (size) => {
    const start = Math.ceil(top / 64) * 64;
    top = start + size;
    if (top > megabytes * 2 ** 20) throw new Error(`${megabytes} MiB of memory are too few`);
    return start;
  };
  const control = new SharedArrayBuffer(1024);
  const setup = {
    bytes,
    memory,
    formats,
    control,
    threads,
    scratch: alloc(threads * SCRATCH),
    counter: alloc(64),
  };
  const exports = instantiate(setup);
  const call = caller(exports, { ...setup, thread: 0 });
  const names = Object.keys(exports);
  const words = new Int32Array(control);
  const values = new Float64Array(control, COMMAND);
  const counter = new Int32Array(memory.buffer, setup.counter, 1);
  const workers = [];
  for (let thread = 1; thread < threads; thread++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { ...setup, thread } });
    await new Promise((resolve) => worker.once('online', resolve));
    workers.push(worker);
  }
  return {
    memory,
    exports,
    alloc,
    mark: () => top,
    release: (mark) => {
      top = mark;
    },
    slot: (name) => 64 + formats.indexOf(name),
    /** Runs commands one after the other on all threads. */
    run(commands) {
      for (const { kernel, args } of commands) {
        counter[0] = 0;
        values.set([names.indexOf(kernel), args.length, ...args]);
        Atomics.store(words, DONE, 0);
        Atomics.add(words, GENERATION, 1);
        Atomics.notify(words, GENERATION);
        call();
        while (Atomics.load(words, DONE) < threads - 1);
      }
    },
    stop: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}

if (!isMainThread && workerData?.control) work(workerData);
