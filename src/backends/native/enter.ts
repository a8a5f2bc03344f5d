/** The way from C into kernels: saves what C's callers own, then calls a kernel with its arguments in place. */
import { Assembler, mem, R64, r8, r9, rax, rcx, rdi, rdx, rsi, rsp } from './x64/index.ts';

/** rbx, rbp, r12 to r15: a C function must leave them as they were. */
const CALLEE_SAVED = [3, 5, 12, 13, 14, 15].map((code) => R64[code]);

/** Saves the registers that belong to a C caller; `body` must leave rsp as it is. Ends the function. */
export function asCFunction(a: Assembler, body: () => void): void {
  for (const register of CALLEE_SAVED) a.x.push(register);
  a.x.lea(rsp, mem(rsp, -8)); // calls expect rsp at 16 n
  body();
  a.x.lea(rsp, mem(rsp, 8));
  for (const register of CALLEE_SAVED.toReversed()) a.x.pop(register);
  a.x.vzeroupper();
  a.x.ret();
}

/** Code of the C function `enter(kernel, thread, threads, scratch, counter, args)`. */
export function enterCode(): Uint8Array {
  const a = new Assembler();
  asCFunction(a, () => {
    const moves = [rax, rdi, rsi, rdx, rcx, r8];
    [rdi, rsi, rdx, rcx, r8, r9].forEach((from, i) => {
      a.x.mov(moves[i], from);
    });
    a.x.callAt(rax);
  });
  return a.finish();
}
