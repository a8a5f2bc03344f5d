/**
 * The operating system for the native backend, through koffi: memory, code pages, mapped files, threads. Linux on
 * x86-64, with glibc or musl; elsewhere `koffiSystem` says why there is none. Constants are the kernel's and the same for
 * both libraries: <sys/mman.h>, <signal.h>.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { FileMapping, Mapping, NativeFunction, NativeSystem, NativeThread } from '../backends/index.ts';
import { BitmillError, checkRange, inputError, type LocalFile } from '../core/index.ts';
import { fileError, localFile } from './files.ts';

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_FAILED = -1;
const ADVICE = { soon: 3, idle: 4, huge: 14 } as const; // MADV_WILLNEED, MADV_DONTNEED, MADV_HUGEPAGE
const SIG_SETMASK = 2;
/** Of a sigset_t. */
const SIGNAL_SET_BYTES = 128;

const PAGE_BYTES = 4096;
/** Anonymous memory from this size on asks for huge pages (of 2 MiB): below it they would be mostly empty. */
const HUGE_FROM_BYTES = 8 * 2 ** 20;

type Koffi = typeof import('koffi').default;
/** Names of C's types, and pointers that are written through. */
type ArgumentTypes = (string | ReturnType<Koffi['out']>)[];
type Foreign = (...args: readonly unknown[]) => number;

/** Why there is no native code here. */
export interface NoSystem {
  readonly reason: string;
}

/** Whether users or tests forbid machine code with BITMILL_NO_NATIVE. */
function isForbidden(): boolean {
  return !['', '0', undefined].includes(process.env['BITMILL_NO_NATIVE']);
}

/** Never throws. */
export async function koffiSystem(): Promise<NativeSystem | NoSystem> {
  if (isForbidden()) return { reason: 'BITMILL_NO_NATIVE forbids machine code' };
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return {
      reason: `machine code is generated for Linux on x86-64, this is ${process.platform} on ${process.arch}`,
    };
  }
  try {
    return new KoffiSystem((await import('koffi')).default);
  } catch (error) {
    const [line] = String(error instanceof Error ? error.message : error).split('\n');
    return { reason: `koffi cannot be loaded: ${line}` };
  }
}

/** Version of koffi; undefined where it cannot be loaded. */
export async function koffiVersion(): Promise<string | undefined> {
  return import('koffi').then(
    (koffi) => koffi.default.version,
    () => undefined,
  );
}

export type HugePages = 'always' | 'madvise' | 'never';

/** To whom the system gives huge pages: to all, to those who ask, to none; undefined where it does not say. */
export function hugePages(): HugePages | undefined {
  try {
    const text = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
    return /\[(always|madvise|never)\]/.exec(text)?.[1] as HugePages | undefined;
  } catch {
    return undefined;
  }
}

function libraryCalls(koffi: Koffi) {
  const libc = koffi.load(null);
  const created = koffi.out(koffi.pointer('intptr_t'));
  const call = (name: string, result: string, args: ArgumentTypes): Foreign => libc.func(name, result, args);
  return {
    mmap: call('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']),
    munmap: call('munmap', 'int', ['intptr_t', 'size_t']),
    mprotect: call('mprotect', 'int', ['intptr_t', 'size_t', 'int']),
    madvise: call('madvise', 'int', ['intptr_t', 'size_t', 'int']),
    pthread_create: call('pthread_create', 'int', [created, 'intptr_t', 'intptr_t', 'intptr_t']),
    pthread_join: call('pthread_join', 'int', ['intptr_t', 'intptr_t']),
    pthread_sigmask: call('pthread_sigmask', 'int', ['int', 'void *', 'void *']),
    sigfillset: call('sigfillset', 'int', ['void *']),
  };
}

/** One listener for all hooks: Node warns of many. */
const exitHooks = new Set<() => void>();
let listens = false;

function runExitHooks(): void {
  for (const hook of exitHooks) hook();
}

class KoffiSystem implements NativeSystem {
  readonly pageBytes = PAGE_BYTES;
  readonly #koffi: Koffi;
  readonly #prototype: ReturnType<Koffi['proto']>;
  readonly #c: ReturnType<typeof libraryCalls>;
  readonly #asksForHuge = hugePages() === 'madvise';
  readonly #allSignals = new Uint8Array(SIGNAL_SET_BYTES);

  constructor(koffi: Koffi) {
    this.#koffi = koffi;
    this.#c = libraryCalls(koffi);
    this.#prototype = koffi.proto('intptr_t', Array(6).fill('intptr_t'));
    this.#c.sigfillset(this.#allSignals);
  }

  map(bytes: number, label: string): Mapping {
    const mapping = this.#map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, label);
    if (this.#asksForHuge && bytes >= HUGE_FROM_BYTES) {
      this.#c.madvise(mapping.address, bytes, ADVICE.huge); // where it is refused, small pages do
    }
    return mapping;
  }

  mapCode(code: Uint8Array): Mapping {
    const mapping = this.map(code.length, 'machine code');
    new Uint8Array(this.view(mapping.address, code.length)).set(code);
    if (this.#c.mprotect(mapping.address, mapping.bytes, PROT_READ | PROT_EXEC) !== 0) {
      const why = this.#reason();
      mapping.unmap();
      throw new BitmillError('resources', `the system does not allow machine code made at run time (${why})`);
    }
    return mapping;
  }

  mapFile(file: string, as?: LocalFile): FileMapping {
    const descriptor = openPlain(file);
    try {
      const info = fstatSync(descriptor);
      if (!info.isFile()) {
        throw inputError(file, info.isDirectory() ? 'is a folder, not a file' : 'is not a regular file');
      }
      if (info.size === 0) throw inputError(file, 'is empty');
      if (as) checkSame(as, localFile(file, info));
      return this.#fileMapping(this.#mapOpen(descriptor, info.size, file), descriptor, file);
    } catch (error) {
      closeSync(descriptor);
      throw error;
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
    // A thread begins with the mask of the one that starts it; handlers are Node's and belong on Node's threads.
    const before = new Uint8Array(SIGNAL_SET_BYTES);
    this.#c.pthread_sigmask(SIG_SETMASK, this.#allSignals, before);
    const code = this.#c.pthread_create(id, 0, entry, argument);
    this.#c.pthread_sigmask(SIG_SETMASK, before, null);
    if (code !== 0) {
      throw new BitmillError('resources', `a thread cannot be started (${this.#reason(code)})`);
    }
    return { join: once(() => this.#c.pthread_join(id[0], 0)) };
  }

  onExit(hook: () => void): () => void {
    if (!listens) process.on('exit', runExitHooks);
    listens = true;
    exitHooks.add(hook);
    return () => void exitHooks.delete(hook);
  }

  #map(bytes: number, protection: number, flags: number, file: number, label: string): Mapping {
    if (!Number.isSafeInteger(bytes) || bytes <= 0) {
      throw new RangeError(`${label}: ${bytes} bytes of memory; at least 1 is needed`);
    }
    const address = this.#c.mmap(0, bytes, protection, flags, file, 0);
    if (address === MAP_FAILED) {
      throw new BitmillError('resources', `${label}: the system gives no ${bytes} bytes (${this.#reason()})`);
    }
    return { address, bytes, unmap: once(() => this.#c.munmap(address, bytes)) };
  }

  /** A page of zeros follows: kernels load whole vectors, also at the end of a file that fills its last page. */
  #mapOpen(descriptor: number, bytes: number, file: string): Mapping {
    const room = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES + PAGE_BYTES;
    const { address, unmap } = this.#map(room, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, file);
    if (this.#c.mmap(address, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0) === MAP_FAILED) {
      const why = this.#reason();
      unmap();
      throw new BitmillError('resources', `${file}: cannot be mapped into memory (${why})`);
    }
    return { address, bytes, unmap };
  }

  #fileMapping({ address, bytes, unmap }: Mapping, descriptor: number, file: string): FileMapping {
    let open = true;
    const close = once(() => {
      open = false;
      unmap();
      closeSync(descriptor);
    });
    return {
      address,
      bytes,
      unmap: close,
      sizeNow: () => {
        if (!open) throw new Error(`${file} is mapped no more`);
        return fstatSync(descriptor).size;
      },
      advise: (use, offset, length) => {
        checkRange({ name: file, size: bytes }, offset, length);
        if (!open) throw new Error(`${file} is mapped no more`);
        // A page that is needed in part is needed; a page that is idle in part may be in use.
        const round = use === 'soon' ? Math.floor : Math.ceil;
        const from = round(offset / PAGE_BYTES) * PAGE_BYTES;
        const to = use === 'soon' ? offset + length : Math.floor((offset + length) / PAGE_BYTES) * PAGE_BYTES;
        if (to > from) this.#c.madvise(address + from, to - from, ADVICE[use]);
      },
    };
  }

  /** The system's error in its own word. */
  #reason(code = this.#koffi.errno()): string {
    const known = Object.entries(this.#koffi.os.errno).find(([, value]) => value === code);
    return known?.[0] ?? `error ${code}`;
  }
}

/** Runs it the first time only. */
function once(action: () => unknown): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}

/** @returns a descriptor; also of what is no plain file, without waiting for a writer of a pipe. */
function openPlain(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw fileError(file, error);
  }
}

function checkSame(as: LocalFile, now: LocalFile): void {
  if (now.size !== as.size) {
    throw inputError(now.path, `has ${now.size} bytes now; it had ${as.size} when it was opened`);
  }
  if (now.mtimeMs !== as.mtimeMs || now.ino !== as.ino) {
    throw inputError(now.path, 'was changed or replaced since it was opened');
  }
}
