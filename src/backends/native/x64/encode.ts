/**
 * Bytes of one instruction from its operands: prefixes, opcode, ModRM, SIB, displacement, immediate.
 * Source: Intel SDM volume 2, chapter 2.
 */
import { isMasked, isMemory, isVec, type Label, type Memory, type Operand, Register } from './registers.ts';
import type { MemorySize, VectorForm } from './vector-table.ts';

/** An instruction's bytes, and the label that its last `tail + 4` bytes begin to refer to. */
export interface Encoded {
  readonly bytes: number[];
  /** A 32-bit displacement at `at`, relative to the end of the instruction. */
  readonly fixup?: { readonly at: number; readonly label: Label; readonly addend: number };
}

interface Parts {
  readonly reg: number;
  readonly rm: Register | Memory;
  /** VEX.vvvv; 0 where there is none. */
  readonly vvvv: number;
  readonly immediate: number | undefined;
}

const fail = (mnemonic: string, why: string): never => {
  throw new Error(`${mnemonic}: ${why}`);
};

/** Little-endian bytes. @throws Error: no integer, or it needs more than 32 bits with its sign. */
export function int32(value: number): number[] {
  if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 31) {
    throw new Error(`${value} does not fit 32 bits with a sign`);
  }
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}

/** Whether a displacement fits a byte when counted in units of `unit` bytes. */
function shortDisp(disp: number, unit: number): number | undefined {
  const scaled = disp / unit;
  return Number.isInteger(scaled) && scaled >= -128 && scaled <= 127 ? scaled : undefined;
}

/**
 * ModRM, SIB and displacement.
 * @param unit bytes that a one-byte displacement counts. @param sib whether the form has a SIB byte always (AMX).
 * @param tail bytes of the instruction behind the displacement.
 */
export function modrm(reg: number, rm: Register | Memory, unit: number, sib: boolean, tail: number): Encoded {
  const field = (reg & 7) << 3;
  if (rm instanceof Register) return { bytes: [0xc0 | field | (rm.code & 7)] };
  if (rm.label) {
    const fixup = { at: 1, label: rm.label, addend: rm.disp - tail };
    return { bytes: [field | 5, 0, 0, 0, 0], fixup };
  }
  if (!rm.base) throw new Error('memory without a base register');
  const base = rm.base.code & 7;
  const needsSib = sib || rm.index !== undefined || base === 4;
  const short = shortDisp(rm.disp, unit);
  const none = rm.disp === 0 && base !== 5;
  const mod = none ? 0 : short !== undefined ? 0x40 : 0x80;
  const bytes = [mod | field | (needsSib ? 4 : base)];
  if (needsSib) {
    const index = rm.index ? rm.index.code & 7 : 4;
    if (rm.index && !isVec(rm.index) && rm.index.code === 4) throw new Error('rsp cannot be an index');
    bytes.push((Math.log2(rm.scale) << 6) | (index << 3) | base);
  }
  if (!none) bytes.push(...(short !== undefined ? [short & 255] : int32(rm.disp)));
  return { bytes };
}

const high = (code: number, bit: number): number => (code >> bit) & 1;

const NAMES = { memory: 'memory', register: 'a register' } as const;

function immediateByte(mnemonic: string, value: number): number {
  if (Number.isInteger(value) && value >= -128 && value <= 255) return value & 255;
  return fail(mnemonic, `the immediate ${value} does not fit a byte`);
}

function partsOf(
  mnemonic: string,
  { form, extension, only }: VectorForm,
  operands: readonly Operand[],
): Parts {
  if (operands.length !== form.length) {
    fail(mnemonic, `takes ${form.length} operands, not ${operands.length}`);
  }
  let reg = extension;
  let rm: Register | Memory = new Register('xmm', 0);
  let vvvv = 0;
  let immediate: number | undefined;
  operands.forEach((given, i) => {
    const operand = isMasked(given) ? given.target : given;
    const role = form[i];
    if (isMasked(given) && i > 0)
      fail(mnemonic, `operand ${i + 1} has a mask, which only the first can have`);
    if (role === 'i') {
      if (typeof operand !== 'number') fail(mnemonic, `operand ${i + 1} is an immediate byte`);
      else immediate = immediateByte(mnemonic, operand);
    } else if (role === 'm') {
      const kind = operand instanceof Register ? 'register' : 'memory';
      if (typeof operand === 'number') fail(mnemonic, `operand ${i + 1} is a register or memory`);
      else if (only && kind !== only) fail(mnemonic, `operand ${i + 1} has to be ${NAMES[only]}`);
      else rm = operand;
    } else if (!(operand instanceof Register)) fail(mnemonic, `operand ${i + 1} is a register`);
    else if (role === 'r') reg = operand.code;
    else if (role === 'v') vvvv = operand.code;
    else immediate = operand.code << 4;
  });
  return { reg, rm, vvvv, immediate };
}

/** Bytes of the longest vector register among the operands; 16 where there is none. */
function lengthOf(mnemonic: string, { memory, narrows }: VectorForm, operands: readonly Operand[]): number {
  const bare = operands.map((given) => (isMasked(given) ? given.target : given));
  const vectors = bare.filter(isVec);
  const most = Math.max(16, ...vectors.map(({ bytes }) => bytes));
  if (narrows) return bare.some(isMemory) ? 2 * most : most;
  const equal = 'part' in memory && memory.part === 1;
  if (equal && vectors.some(({ bytes }) => bytes !== most)) {
    fail(mnemonic, `has vectors of different lengths: ${vectors.join(', ')}`);
  }
  return most;
}

function unitOf(mnemonic: string, size: MemorySize, length: number, broadcast: boolean): number {
  if ('fixed' in size) return broadcast ? fail(mnemonic, 'has no broadcast') : size.fixed || 1;
  if (broadcast) return size.element ?? fail(mnemonic, 'has no broadcast');
  return length / size.part;
}

/** Whether only EVEX can say this. */
function needsEvex(mnemonic: string, { form }: VectorForm, operands: readonly Operand[]): boolean {
  if (form === 'vmi' && isMemory(operands[1])) return true; // VEX shifts registers by immediates, no memory
  return operands.some((operand, i) => {
    if (isMasked(operand)) return true;
    if (isMemory(operand)) return operand.broadcast || (isVec(operand.index) && operand.index.code > 15);
    if (!(operand instanceof Register)) return false;
    if (operand.kind === 'mask') return i === 0 && !mnemonic.startsWith('k');
    return operand.kind === 'zmm' || (isVec(operand) && operand.code > 15);
  });
}

/** @param preferEvex takes EVEX where both would do: for vpdpbusd and its like on machines without AVX-VNNI. */
export function encodeVector(
  mnemonic: string,
  form: VectorForm,
  operands: readonly Operand[],
  preferEvex: boolean,
): Encoded {
  const parts = partsOf(mnemonic, form, operands);
  const evex = !form.vex || (form.evex && (preferEvex || needsEvex(mnemonic, form, operands)));
  if (!evex && needsEvex(mnemonic, form, operands)) {
    return fail(mnemonic, 'has no EVEX form, so no zmm, no masks, no broadcasts, no registers above 15');
  }
  const length = lengthOf(mnemonic, form, operands);
  return evex
    ? encodeEvex(mnemonic, form, parts, operands, length)
    : encodeVex(mnemonic, form, parts, length);
}

function withTail(head: number[], parts: Parts, unit: number, sib: boolean): Encoded {
  const tail = parts.immediate === undefined ? [] : [parts.immediate];
  const { bytes, fixup } = modrm(parts.reg, parts.rm, unit, sib, tail.length);
  const all = [...head, ...bytes, ...tail];
  return fixup ? { bytes: all, fixup: { ...fixup, at: head.length + fixup.at } } : { bytes: all };
}

/** R, X and B: the upper bits of the register numbers, as VEX wants them: inverted. */
function extensions({ reg, rm }: Parts): { r: number; x: number; b: number } {
  const base = rm instanceof Register ? rm.code : (rm.base?.code ?? 0);
  const index = rm instanceof Register ? 0 : (rm.index?.code ?? 0);
  return { r: high(reg, 3) ^ 1, x: high(index, 3) ^ 1, b: high(base, 3) ^ 1 };
}

function encodeVex(mnemonic: string, form: VectorForm, parts: Parts, length: number): Encoded {
  const { r, x, b } = extensions(parts);
  const long = Number(length === 32 || form.long);
  const last = (form.vexW << 7) | ((parts.vvvv ^ 15) << 3) | (long << 2) | form.prefix;
  const short = form.map === 1 && form.vexW === 0 && x && b;
  const head = short
    ? [0xc5, (r << 7) | (last & 0x7f), form.opcode]
    : [0xc4, (r << 7) | (x << 6) | (b << 5) | form.map, last, form.opcode];
  return withTail(head, parts, 1, mnemonic.startsWith('tileload') || mnemonic === 'tilestored');
}

function encodeEvex(
  mnemonic: string,
  form: VectorForm,
  parts: Parts,
  operands: readonly Operand[],
  length: number,
): Encoded {
  const { reg, rm, vvvv } = parts;
  const { r, x, b } = extensions(parts);
  const vectorIndex = !(rm instanceof Register) && isVec(rm.index) ? rm.index.code : undefined;
  // In register forms X extends rm to 32 registers; in gathers V' extends the index.
  const x4 = rm instanceof Register ? high(rm.code, 4) ^ 1 : x;
  const v4 = high(vectorIndex ?? vvvv, 4) ^ 1;
  const mask = operands.find(isMasked);
  if (mask?.mask.code === 0) fail(mnemonic, 'k0 as a mask means none');
  const broadcast = isMemory(rm) && rm.broadcast;
  const ll = Math.log2(length / 16);
  const head = [
    0x62,
    (r << 7) | (x4 << 6) | (b << 5) | ((high(reg, 4) ^ 1) << 4) | form.map,
    (form.evexW << 7) | (((vvvv & 15) ^ 15) << 3) | 4 | form.prefix,
    (Number(mask?.zero ?? false) << 7) |
      (ll << 5) |
      (Number(broadcast) << 4) |
      (v4 << 3) |
      (mask?.mask.code ?? 0),
    form.opcode,
  ];
  return withTail(head, parts, unitOf(mnemonic, form.memory, length, broadcast), false);
}
