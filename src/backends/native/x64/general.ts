/**
 * General-register instructions: moves, arithmetic, branches, atomics. One function an instruction, which returns its
 * bytes. All arithmetic is 64 bits wide; loads say their width in their name. Source: Intel SDM volume 2.
 */
import { type Encoded, int32, modrm } from './encode.ts';
import { type Gpr, type Memory, Register } from './registers.ts';

type Source = Gpr | Memory | number;

const isByte = (value: number): boolean => Number.isInteger(value) && value >= -128 && value <= 127;

function rexOf(w: boolean, reg: number, rm: Register | Memory, force = false): number[] {
  const base = rm instanceof Register ? rm.code : (rm.base?.code ?? 0);
  const index = rm instanceof Register ? 0 : (rm.index?.code ?? 0);
  const rex =
    0x40 | (Number(w) << 3) | (((reg >> 3) & 1) << 2) | (((index >> 3) & 1) << 1) | ((base >> 3) & 1);
  return rex !== 0x40 || force ? [rex] : [];
}

interface Shape {
  readonly prefix?: readonly number[];
  /** REX.W. */
  readonly w?: boolean;
  /** Needs REX to name the low bytes of rsi, rdi, rbp, rsp. */
  readonly byte?: boolean;
}

/** `opcode reg, rm`, with what follows it. */
function form(
  opcode: readonly number[],
  reg: number,
  rm: Register | Memory,
  tail: readonly number[] = [],
  { prefix = [], w = true, byte = false }: Shape = {},
): Encoded {
  const head = [...prefix, ...rexOf(w, reg, rm, byte), ...opcode];
  const { bytes, fixup } = modrm(reg, rm, 1, false, tail.length);
  const all = [...head, ...bytes, ...tail];
  return fixup ? { bytes: all, fixup: { ...fixup, at: head.length + fixup.at } } : { bytes: all };
}

/** add, or, and, sub, xor, cmp: register or memory with register, memory or immediate. */
function arithmetic(digit: number) {
  return (target: Gpr | Memory, source: Source): Encoded => {
    if (typeof source === 'number') {
      return isByte(source)
        ? form([0x83], digit, target, [source & 255])
        : form([0x81], digit, target, int32(source));
    }
    if (source instanceof Register) return form([8 * digit + 1], source.code, target);
    if (!(target instanceof Register)) throw new Error('two operands in memory');
    return form([8 * digit + 3], target.code, source);
  };
}

function shift(digit: number) {
  return (target: Gpr, count: number): Encoded => {
    if (!Number.isInteger(count) || count < 0 || count > 63)
      throw new Error(`shifts by 0 to 63, not ${count}`);
    return form([0xc1], digit, target, [count]);
  };
}

/** Condition codes of jumps, moves and sets. Unsigned: b, ae, be, a; signed: l, ge, le, g. */
export const CONDITIONS = {
  o: 0,
  no: 1,
  b: 2,
  ae: 3,
  e: 4,
  ne: 5,
  be: 6,
  a: 7,
  s: 8,
  ns: 9,
  p: 10,
  np: 11,
  l: 12,
  ge: 13,
  le: 14,
  g: 15,
} as const satisfies Record<string, number>;

export type Condition = keyof typeof CONDITIONS;

function move64(target: Gpr, value: number): Encoded {
  if (value >= -(2 ** 31) && value < 2 ** 31) return form([0xc7], 0, target, int32(value));
  if (!Number.isSafeInteger(value)) throw new Error(`${value} is not exact`);
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, BigInt(value), true);
  const immediate = Array.from({ length: 8 }, (_, i) => view.getUint8(i));
  return { bytes: [0x48 | (target.code >> 3), 0xb8 | (target.code & 7), ...immediate] };
}

export const GENERAL = {
  /** A register, 8 bytes of memory, or a number. */
  mov: (target: Gpr, source: Source): Encoded =>
    typeof source === 'number' ? move64(target, source) : form([0x8b], target.code, source),
  /** 8 bytes to memory: a register, or a number of 32 bits with its sign. */
  store64: (target: Memory, source: Gpr | number): Encoded =>
    typeof source === 'number' ? form([0xc7], 0, target, int32(source)) : form([0x89], source.code, target),
  store32: (target: Memory, source: Gpr | number): Encoded =>
    typeof source === 'number'
      ? form([0xc7], 0, target, int32(source), { w: false })
      : form([0x89], source.code, target, [], { w: false }),
  store16: (target: Memory, source: Gpr): Encoded =>
    form([0x89], source.code, target, [], { w: false, prefix: [0x66] }),
  store8: (target: Memory, source: Gpr): Encoded =>
    form([0x88], source.code, target, [], { w: false, byte: source.code > 3 }),
  /** 4 bytes of memory or the low half of a register; the upper half becomes zero. */
  load32: (target: Gpr, source: Gpr | Memory): Encoded => form([0x8b], target.code, source, [], { w: false }),
  load32s: (target: Gpr, source: Gpr | Memory): Encoded => form([0x63], target.code, source),
  load16: (target: Gpr, source: Gpr | Memory): Encoded => form([0x0f, 0xb7], target.code, source),
  load16s: (target: Gpr, source: Gpr | Memory): Encoded => form([0x0f, 0xbf], target.code, source),
  load8: (target: Gpr, source: Gpr | Memory): Encoded => form([0x0f, 0xb6], target.code, source),
  load8s: (target: Gpr, source: Gpr | Memory): Encoded => form([0x0f, 0xbe], target.code, source),
  lea: (target: Gpr, source: Memory): Encoded => form([0x8d], target.code, source),
  add: arithmetic(0),
  or: arithmetic(1),
  and: arithmetic(4),
  sub: arithmetic(5),
  xor: arithmetic(6),
  cmp: arithmetic(7),
  test: (a: Gpr, b: Gpr | number): Encoded =>
    typeof b === 'number' ? form([0xf7], 0, a, int32(b)) : form([0x85], b.code, a),
  /** `target *= source`, or `target = source * factor`. */
  imul: (target: Gpr, source: Gpr | Memory, factor?: number): Encoded => {
    if (factor === undefined) return form([0x0f, 0xaf], target.code, source);
    return isByte(factor)
      ? form([0x6b], target.code, source, [factor & 255])
      : form([0x69], target.code, source, int32(factor));
  },
  /** rax, remainder rdx = rdx:rax / source, unsigned. */
  div: (source: Gpr | Memory): Encoded => form([0xf7], 6, source),
  neg: (target: Gpr): Encoded => form([0xf7], 3, target),
  not: (target: Gpr): Encoded => form([0xf7], 2, target),
  shl: shift(4),
  shr: shift(5),
  sar: shift(7),
  tzcnt: (target: Gpr, source: Gpr | Memory): Encoded =>
    form([0x0f, 0xbc], target.code, source, [], { prefix: [0xf3] }),
  lzcnt: (target: Gpr, source: Gpr | Memory): Encoded =>
    form([0x0f, 0xbd], target.code, source, [], { prefix: [0xf3] }),
  popcnt: (target: Gpr, source: Gpr | Memory): Encoded =>
    form([0x0f, 0xb8], target.code, source, [], { prefix: [0xf3] }),
  cmov: (condition: Condition, target: Gpr, source: Gpr | Memory): Encoded =>
    form([0x0f, 0x40 + CONDITIONS[condition]], target.code, source),
  /** The low byte becomes 0 or 1; the others stay. */
  set: (condition: Condition, target: Gpr): Encoded =>
    form([0x0f, 0x90 + CONDITIONS[condition]], 0, target, [], { w: false, byte: target.code > 3 }),
  push: (source: Gpr): Encoded => ({ bytes: [...rexOf(false, 0, source), 0x50 | (source.code & 7)] }),
  pop: (target: Gpr): Encoded => ({ bytes: [...rexOf(false, 0, target), 0x58 | (target.code & 7)] }),
  /** To an address in a register or in memory. */
  callAt: (target: Gpr | Memory): Encoded => form([0xff], 2, target, [], { w: false }),
  jmpAt: (target: Gpr | Memory): Encoded => form([0xff], 4, target, [], { w: false }),
  ret: (): Encoded => ({ bytes: [0xc3] }),
  ud2: (): Encoded => ({ bytes: [0x0f, 0x0b] }),
  syscall: (): Encoded => ({ bytes: [0x0f, 0x05] }),
  pause: (): Encoded => ({ bytes: [0xf3, 0x90] }),
  cpuid: (): Encoded => ({ bytes: [0x0f, 0xa2] }),
  xgetbv: (): Encoded => ({ bytes: [0x0f, 0x01, 0xd0] }),
  rdtsc: (): Encoded => ({ bytes: [0x0f, 0x31] }),
  mfence: (): Encoded => ({ bytes: [0x0f, 0xae, 0xf0] }),
  sfence: (): Encoded => ({ bytes: [0x0f, 0xae, 0xf8] }),
  lfence: (): Encoded => ({ bytes: [0x0f, 0xae, 0xe8] }),
  repMovsb: (): Encoded => ({ bytes: [0xf3, 0xa4] }),
  vzeroupper: (): Encoded => ({ bytes: [0xc5, 0xf8, 0x77] }),
  vzeroall: (): Encoded => ({ bytes: [0xc5, 0xfc, 0x77] }),
  tilerelease: (): Encoded => ({ bytes: [0xc4, 0xe2, 0x78, 0x49, 0xc0] }),
  /** `source, memory = memory, memory + source`, atomically; 4 or 8 bytes. */
  lockXadd32: (memory: Memory, source: Gpr): Encoded =>
    form([0x0f, 0xc1], source.code, memory, [], { w: false, prefix: [0xf0] }),
  lockXadd64: (memory: Memory, source: Gpr): Encoded =>
    form([0x0f, 0xc1], source.code, memory, [], { prefix: [0xf0] }),
  /** If memory is eax/rax it becomes `source`, else rax becomes memory; sets the zero flag if it was. */
  lockCmpxchg32: (memory: Memory, source: Gpr): Encoded =>
    form([0x0f, 0xb1], source.code, memory, [], { w: false, prefix: [0xf0] }),
  xchg32: (memory: Memory, source: Gpr): Encoded => form([0x87], source.code, memory, [], { w: false }),
  xchg64: (memory: Memory, source: Gpr): Encoded => form([0x87], source.code, memory),
  prefetcht0: (memory: Memory): Encoded => form([0x0f, 0x18], 1, memory, [], { w: false }),
  prefetcht1: (memory: Memory): Encoded => form([0x0f, 0x18], 2, memory, [], { w: false }),
  prefetchnta: (memory: Memory): Encoded => form([0x0f, 0x18], 0, memory, [], { w: false }),
} as const satisfies Record<string, (...operands: never[]) => Encoded>;
