/**
 * The operating system for the native backend, through koffi: memory, code pages, mapped files, threads. Linux on
 * x86-64; elsewhere `koffiSystem` says why there is none.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import type { Mapping, NativeFunction, NativeSystem, NativeThread } from '../backends/index.ts';
import { BitmillError, inputError } from '../core/index.ts';

// Linux on x86-64: <sys/mman.h>.
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MAP_FAILED = -1;

type Koffi = typeof import('koffi').default;
type Foreign = (...args: readonly unknown[]) => number;

/** Why there is no native code here. */
export interface NoSystem {
  readonly reason: string;
}

/** Never throws. */
export async function koffiSystem(): Promise<NativeSystem | NoSystem> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return {
      reason: `machine code is generated for Linux on x86-64, this is ${process.platform} on ${process.arch}`,
    };
  }
  try {
    return new KoffiSystem((await import('koffi')).default);
  } catch (error) {
    return { reason: `koffi cannot be loaded: ${error instanceof Error ? error.message : error}` };
  }
}

class KoffiSystem implements NativeSystem {
  readonly pageBytes = 4096;
  readonly #koffi: Koffi;
  readonly #prototype: ReturnType<Koffi['proto']>;
  readonly #mmap: Foreign;
  readonly #munmap: Foreign;
  readonly #mprotect: Foreign;
  readonly #pthreadCreate: Foreign;
  readonly #pthreadJoin: Foreign;

  constructor(koffi: Koffi) {
    const libc = koffi.load(null);
    this.#koffi = koffi;
    this.#mmap = libc.func('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']);
    this.#munmap = libc.func('munmap', 'int', ['intptr_t', 'size_t']);
    this.#mprotect = libc.func('mprotect', 'int', ['intptr_t', 'size_t', 'int']);
    const created = koffi.out(koffi.pointer('intptr_t'));
    this.#pthreadCreate = libc.func('pthread_create', 'int', [created, 'intptr_t', 'intptr_t', 'intptr_t']);
    this.#pthreadJoin = libc.func('pthread_join', 'int', ['intptr_t', 'intptr_t']);
    this.#prototype = koffi.proto('intptr_t', Array(6).fill('intptr_t'));
  }

  map(bytes: number, label: string): Mapping {
    return this.#map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, label);
  }

  mapCode(code: Uint8Array): Mapping {
    const mapping = this.map(code.length, 'machine code');
    new Uint8Array(this.view(mapping.address, code.length)).set(code);
    if (this.#mprotect(mapping.address, mapping.bytes, PROT_READ | PROT_EXEC) !== 0) {
      mapping.unmap();
      throw new BitmillError('resources', 'the system does not allow machine code to be made at run time');
    }
    return mapping;
  }

  mapFile(path: string): Mapping {
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      if (size === 0) throw inputError(path, 'is empty');
      return this.#map(size, PROT_READ, MAP_SHARED, file, path);
    } finally {
      closeSync(file);
    }
  }

  view(address: number, bytes: number): ArrayBuffer {
    return this.#koffi.view(address, bytes);
  }

  function(address: number): NativeFunction {
    const native = this.#koffi.decode(BigInt(address), this.#prototype);
    const six = (args: readonly number[]): readonly number[] => [...args, 0, 0, 0, 0, 0, 0].slice(0, 6);
    return {
      call: (...args) => native(...six(args)),
      callAsync: (...args) =>
        new Promise((resolve, reject) => {
          native.async(...six(args), (error: Error | null, result: number) =>
            error ? reject(error) : resolve(result),
          );
        }),
    };
  }

  startThread(entry: number, argument: number): NativeThread {
    const id = [0];
    const code = this.#pthreadCreate(id, 0, entry, argument);
    if (code !== 0)
      throw new BitmillError('resources', `a thread cannot be started: the system's error ${code}`);
    return { join: () => void this.#pthreadJoin(id[0], 0) };
  }

  #map(bytes: number, protection: number, flags: number, file: number, label: string): Mapping {
    const address = this.#mmap(0, bytes, protection, flags, file, 0);
    if (address === MAP_FAILED)
      throw new BitmillError('resources', `${label}: the system gives no ${bytes} bytes`);
    return { address, bytes, unmap: () => void this.#munmap(address, bytes) };
  }
}
