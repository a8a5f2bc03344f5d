/** The engine's WebAssembly module: compiled once, instantiated by every thread over the same memory. */
import { FORMATS, type TensorFormat } from '../../quants/index.ts';
import { ENGINE_BASE64 } from './module.gen.ts';
import { RELAXED_BASE64 } from './relaxed.gen.ts';
import { relaxedWorks } from './relaxed.ts';

export type Kernel = (...args: number[]) => number | undefined;

/** Formats without blocks that products read as they are. */
const PLAIN: ReadonlySet<string> = new Set(['F32', 'F16', 'BF16']);

/** Table slot of the first format; lower ones belong to the module. */
const FIRST_SLOT = 64;

const ALL: readonly TensorFormat[] = Object.values(FORMATS);

function expandName(format: TensorFormat): string {
  return `${format.name.toLowerCase()}_expand`;
}

/** Export names of all functions, in the module's order: a kernel's number is its place here. */
export function kernelNames(module: WebAssembly.Module): string[] {
  return WebAssembly.Module.exports(module)
    .filter(({ kind }) => kind === 'function')
    .map(({ name }) => name);
}

function bytesOfModule(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/** @param relaxed whether to take the engine with relaxed SIMD where this machine runs it, and runs it right. */
export async function compileEngine(relaxed: boolean): Promise<WebAssembly.Module> {
  return (relaxed ? await relaxedEngine() : undefined) ?? WebAssembly.compile(bytesOfModule(ENGINE_BASE64));
}

async function relaxedEngine(): Promise<WebAssembly.Module | undefined> {
  const bytes = bytesOfModule(RELAXED_BASE64);
  if (!WebAssembly.validate(bytes)) return undefined;
  const module = await WebAssembly.compile(bytes);
  return relaxedWorks(module) ? module : undefined;
}

/** Table slots of the expand kernels that the module has, by format name. */
export function expandSlots(module: WebAssembly.Module): ReadonlyMap<string, number> {
  const names = new Set(kernelNames(module));
  return new Map(
    ALL.map((format, i) => [format, FIRST_SLOT + i] as const)
      .filter(([format]) => format.plane && names.has(expandName(format)))
      .map(([format, slot]) => [format.name, slot]),
  );
}

/** Whether products take the format as it is. */
export function isMultiplied(format: TensorFormat, slots: ReadonlyMap<string, number>): boolean {
  return PLAIN.has(format.name) || slots.has(format.name);
}

/** This thread's kernels, in the order of `kernelNames`. */
export function instantiateEngine(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernel[] {
  const table = new WebAssembly.Table({ initial: FIRST_SLOT + ALL.length, element: 'anyfunc' });
  const abort = (): never => {
    throw new Error('a kernel aborted');
  };
  const { exports } = new WebAssembly.Instance(module, { env: { memory, table, abort } });
  for (const [name, slot] of expandSlots(module)) {
    table.set(slot, exports[expandName(FORMATS[name as keyof typeof FORMATS])] as Kernel);
  }
  return kernelNames(module).map((name) => exports[name] as Kernel);
}
