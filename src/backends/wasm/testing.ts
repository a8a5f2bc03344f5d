/** The engine's kernels on this thread over a memory of their own, for tests and benchmarks of single kernels. */
import { instantiateEngine, type Kernel, kernelNames } from './engine.ts';
import { ENGINE_BASE64 } from './module.gen.ts';

export interface TestEngine {
  readonly memory: WebAssembly.Memory;
  /** @throws if the module has no such export. */
  kernel(name: string): Kernel;
  /** Address of `bytes` fresh bytes, aligned to 64. */
  alloc(bytes: number): number;
}

const PAGE = 65536;

export function testEngine(pages = 1024): TestEngine {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  const module = new WebAssembly.Module(Uint8Array.from(atob(ENGINE_BASE64), (c) => c.charCodeAt(0)));
  const kernels = instantiateEngine(module, memory);
  const named = new Map(kernelNames(module).map((name, i) => [name, kernels[i]]));
  let top = 64 * PAGE; // the module's constants lie below
  return {
    memory,
    kernel: (name) => {
      const found = named.get(name);
      if (!found) throw new Error(`the engine's module has no export ${name}`);
      return found;
    },
    alloc: (bytes) => {
      const start = top;
      top += 64 * Math.ceil(bytes / 64);
      if (top > memory.buffer.byteLength) throw new Error(`out of the test memory's ${pages} pages`);
      return start;
    },
  };
}
