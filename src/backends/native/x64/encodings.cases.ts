/**
 * What samples of instructions consist of: operands as the assembler takes them, and the same in the Intel syntax of
 * GNU as, whose bytes `scripts/make-encodings.mjs` keeps in `test/fixtures/encodings.txt`.
 */
import { Assembler } from './assembler.ts';
import {
  type Memory,
  mem,
  memAt,
  r8,
  r9,
  r11,
  r12,
  r13,
  r14,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from './registers.ts';
import type { VectorMnemonic } from './vector-table.ts';

export interface Sample {
  readonly mnemonic: string;
  /** For GNU as, Intel syntax without % signs. */
  readonly text: string;
  readonly preferEvex: boolean;
  emit(a: Assembler): void;
}

/** Our bytes as hex. */
export function hexOf({ preferEvex, mnemonic, emit }: Sample): string {
  const a = new Assembler(preferEvex ? [mnemonic as VectorMnemonic] : []);
  emit(a);
  return Array.from(a.finish(), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Every kind of address; `rip` stands for 64 bytes behind the instruction. */
export type Address = Memory | 'rip';
export const ADDRESSES: readonly Address[] = [
  mem(rax),
  memAt(rbx, rcx, 4, 8),
  mem(rbp),
  mem(r12, 64),
  memAt(r13, r14, 8, 8128),
  mem(rsp, 8),
  'rip',
  mem(r13, -8192),
  memAt(rsp, r9, 1, 1),
  mem(rdi, 127),
  memAt(rbp, rax, 2),
  mem(rsi, 128),
  memAt(r8, r12, 2, -64),
  mem(r11, -128),
  mem(rdx, 8192),
  memAt(r12, rbp, 1, 2032),
];

export const SIZE_NAMES: Readonly<Record<number, string>> = {
  1: 'byte',
  2: 'word',
  4: 'dword',
  8: 'qword',
  16: 'xmmword',
  32: 'ymmword',
  64: 'zmmword',
};

export const signed = (value: number): string => (value < 0 ? `${value}` : `+${value}`);

export function textOfAddress({ base, index, scale, disp, label }: Memory): string {
  if (label) return `[rip${signed(disp)}]`;
  return `[${base}${index ? `+${index}*${scale}` : ''}${disp ? signed(disp) : ''}]`;
}
