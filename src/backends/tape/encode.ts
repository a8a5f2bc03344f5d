/**
 * The tape: a run's commands as f64 numbers, which all threads walk in step. A command is the kernel's number, the count
 * of its arguments, and the arguments.
 */
import type { Command } from './lower.ts';

/** The backend's kernels: numbers by name. A Map does; a backend may make a kernel only when `get` asks for it. */
export interface KernelNumbers {
  has(kernel: string): boolean;
  get(kernel: string): number | undefined;
}

/** Commands as tape. Plain loops: a token encodes hundreds of them. @param numbers of the kernels by name. */
export function encode(commands: readonly Command[], numbers: KernelNumbers): number[] {
  const tape: number[] = [];
  for (const { kernel, args } of commands) {
    const number = numbers.get(kernel);
    if (number === undefined) throw new Error(`the engine has no kernel "${kernel}"`);
    tape.push(number, args.length);
    for (const arg of args) tape.push(arg);
  }
  return tape;
}
