/** One instance of the engine's module over a memory of its own, for tests and benchmarks of single kernels. */
import { ENGINE_BASE64 } from './module.gen.ts';

export interface TestEngine {
  readonly memory: WebAssembly.Memory;
  /** @throws if the module has no such export. */
  kernel(name: string): (...args: number[]) => void;
  /** Address of `bytes` fresh bytes, aligned to 64. */
  alloc(bytes: number): number;
}

const PAGE = 65536;

export function testEngine(pages = 1024): TestEngine {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  const table = new WebAssembly.Table({ initial: 256, element: 'anyfunc' });
  const abort = (): never => {
    throw new Error('a kernel aborted');
  };
  const module = new WebAssembly.Module(Uint8Array.from(atob(ENGINE_BASE64), (c) => c.charCodeAt(0)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory, table, abort } });
  let top = 64 * PAGE; // the module's constants lie below
  return {
    memory,
    kernel: (name) => {
      const found = exports[name];
      if (typeof found !== 'function') throw new Error(`the engine's module has no export ${name}`);
      return found as (...args: number[]) => void;
    },
    alloc: (bytes) => {
      const start = top;
      top += 64 * Math.ceil(bytes / 64);
      if (top > memory.buffer.byteLength) throw new Error(`out of the test memory's ${pages} pages`);
      return start;
    },
  };
}
