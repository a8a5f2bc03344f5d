/** Operands of x86-64 instructions: registers and memory. Sizes in bytes unless a name says bits. */

export type RegisterKind = 'r64' | 'r32' | 'xmm' | 'ymm' | 'zmm' | 'mask' | 'tile';

/** Bytes of a register; tiles are as large as their configuration says. */
export const REGISTER_BYTES = {
  r64: 8,
  r32: 4,
  xmm: 16,
  ymm: 32,
  zmm: 64,
  mask: 8,
  tile: 1024,
} as const satisfies Record<RegisterKind, number>;

export class Register<K extends RegisterKind = RegisterKind> {
  readonly kind: K;
  /** Number of the register in its file. */
  readonly code: number;

  constructor(kind: K, code: number) {
    this.kind = kind;
    this.code = code;
  }

  get bytes(): number {
    return REGISTER_BYTES[this.kind];
  }

  toString(): string {
    const kind: RegisterKind = this.kind;
    return kind === 'r64' || kind === 'r32' ? GPR_NAMES[kind][this.code] : `${PREFIX[kind]}${this.code}`;
  }
}

const PREFIX = { xmm: 'xmm', ymm: 'ymm', zmm: 'zmm', mask: 'k', tile: 'tmm' } as const;

const LOW_64 = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
const LOW_32 = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const HIGH = [8, 9, 10, 11, 12, 13, 14, 15];
const GPR_NAMES = {
  r64: [...LOW_64, ...HIGH.map((code) => `r${code}`)],
  r32: [...LOW_32, ...HIGH.map((code) => `r${code}d`)],
};

export type Gpr = Register<'r64'>;
export type Gpr32 = Register<'r32'>;
export type Vec = Register<'xmm' | 'ymm' | 'zmm'>;
export type Mask = Register<'mask'>;
export type Tile = Register<'tile'>;

const file = <K extends RegisterKind>(kind: K, count: number): readonly Register<K>[] =>
  Array.from({ length: count }, (_, code) => new Register(kind, code));

export const R64 = file('r64', 16);
export const R32 = file('r32', 16);
export const XMM = file('xmm', 32);
export const YMM = file('ymm', 32);
export const ZMM = file('zmm', 32);
export const MASKS = file('mask', 8);
export const TILES = file('tile', 8);

export const [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = R64;

/** The low half of a general register. Writing it clears the upper half. */
export const low32 = ({ code }: Gpr): Gpr32 => R32[code];
/** The low 16, 32 or all 64 bytes of a vector register, whichever of its names is given. */
export const xmm = ({ code }: Vec): Register<'xmm'> => XMM[code];
export const ymm = ({ code }: Vec): Register<'ymm'> => YMM[code];
export const zmm = ({ code }: Vec): Register<'zmm'> => ZMM[code];

/** A place in the code or in its constants; `Assembler.bind` says where. */
export class Label {
  /** Offset from the begin of the code, once bound. */
  at: number | undefined;
}

/** `[base + index * scale + disp]`, or `[label + disp]`. The index is a vector for gathers. */
export interface Memory {
  readonly kind: 'memory';
  readonly base?: Gpr;
  readonly index?: Gpr | Vec;
  readonly scale: 1 | 2 | 4 | 8;
  readonly disp: number;
  readonly label?: Label;
  /** One element for all lanes: EVEX only. */
  readonly broadcast: boolean;
}

export function mem(base: Gpr, disp = 0): Memory {
  return { kind: 'memory', base, scale: 1, disp, broadcast: false };
}

/** `[base + index * scale + disp]`. */
export function memAt(base: Gpr, index: Gpr | Vec, scale: 1 | 2 | 4 | 8 = 1, disp = 0): Memory {
  return { kind: 'memory', base, index, scale, disp, broadcast: false };
}

export function memOf(label: Label, disp = 0): Memory {
  return { kind: 'memory', label, scale: 1, disp, broadcast: false };
}

/** The same memory, `bytes` further on. */
export function plus(memory: Memory, bytes: number): Memory {
  return { ...memory, disp: memory.disp + bytes };
}

/** One element for all lanes. */
export function broadcast(memory: Memory): Memory {
  return { ...memory, broadcast: true };
}

/** A destination of which only the lanes of a mask are written; the others stay or become zero. */
export interface Masked {
  readonly kind: 'masked';
  readonly target: Vec | Memory | Mask;
  readonly mask: Mask;
  readonly zero: boolean;
}

export function masked(target: Vec | Memory | Mask, mask: Mask): Masked {
  return { kind: 'masked', target, mask, zero: false };
}

export function zeroing(target: Vec, mask: Mask): Masked {
  return { kind: 'masked', target, mask, zero: true };
}

export type Operand = Register | Memory | Masked | number;

export const isMemory = (operand: unknown): operand is Memory =>
  typeof operand === 'object' && operand !== null && (operand as Memory).kind === 'memory';
export const isMasked = (operand: unknown): operand is Masked =>
  typeof operand === 'object' && operand !== null && (operand as Masked).kind === 'masked';
export const isVec = (operand: unknown): operand is Vec =>
  operand instanceof Register && (operand.kind === 'xmm' || operand.kind === 'ymm' || operand.kind === 'zmm');
