/** What the assembler refuses, how far branches reach, where constants stand; registers that run out. */
import { describe, expect, test } from 'vitest';
import {
  Assembler,
  broadcast,
  MASKS,
  masked,
  mem,
  memAt,
  type Operand,
  RegisterPool,
  rax,
  rbx,
  rcx,
  rsp,
  type VectorMnemonic,
  XMM,
  YMM,
  ZMM,
  zeroing,
} from './index.ts';

const { x } = new Assembler();
const vector =
  (name: VectorMnemonic, ...operands: readonly Operand[]) =>
  () =>
    x[name](...operands);

describe('the assembler refuses, with the reason,', () => {
  test.each([
    ['too few operands', vector('vaddps', ZMM[0], ZMM[1]), 'vaddps: takes 3 operands, not 2'],
    [
      'a zmm where there is no EVEX form',
      vector('vphaddd', ZMM[0], ZMM[1], ZMM[2]),
      'vphaddd: has no EVEX form',
    ],
    ['a register above 15 there', vector('vpsignb', YMM[0], YMM[16], YMM[2]), 'vpsignb: has no EVEX form'],
    [
      'vectors of two lengths',
      vector('vaddps', ZMM[0], YMM[1], ZMM[2]),
      'different lengths: zmm0, ymm1, zmm2',
    ],
    ['a number for a register', vector('vaddps', ZMM[0], 3, ZMM[2]), 'vaddps: operand 2 is a register'],
    ['a register for a number', vector('vpslld', YMM[0], YMM[1], YMM[2]), 'operand 3 is an immediate byte'],
    [
      'an immediate above a byte',
      vector('vpslld', YMM[0], YMM[1], 256),
      'the immediate 256 does not fit a byte',
    ],
    ['a broken immediate', vector('vpslld', YMM[0], YMM[1], 1.5), 'the immediate 1.5 does not fit a byte'],
    ['a move of a scalar between registers', vector('vmovss', XMM[0], XMM[1]), 'operand 2 has to be memory'],
    ['memory for a register', vector('vpmovmskb', rax, mem(rbx)), 'operand 2 has to be a register'],
    [
      'a mask on a source',
      vector('vaddps', ZMM[0], masked(ZMM[1], MASKS[1]), ZMM[2]),
      'operand 2 has a mask',
    ],
    ['k0 as a mask', vector('vaddps', zeroing(ZMM[0], MASKS[0]), ZMM[1], ZMM[2]), 'k0 as a mask means none'],
    [
      'a broadcast of bytes',
      vector('vpaddb', ZMM[0], ZMM[1], broadcast(mem(rax))),
      'vpaddb: has no broadcast',
    ],
    ['rsp as an index', vector('vmovups', ZMM[0], memAt(rax, rsp, 4)), 'rsp cannot be an index'],
    ['a far displacement', vector('vmovups', ZMM[0], mem(rax, 2 ** 31)), '2147483648 does not fit 32 bits'],
    ['an immediate above 32 bits', () => x.add(rax, 2 ** 31), '2147483648 does not fit 32 bits with a sign'],
    ['half a number', () => x.add(rax, 0.5), '0.5 does not fit 32 bits with a sign'],
    ['a number that is not exact', () => x.mov(rax, 2 ** 60), `${2 ** 60} is not exact`],
    ['a shift by 64', () => x.shl(rax, 64), 'shifts by 0 to 63, not 64'],
    ['a sum of memory and memory', () => x.add(mem(rax), mem(rbx)), 'two operands in memory'],
  ])('%s', (_, emit, message) => {
    expect(emit).toThrow(message);
  });

  test('a label that is bound nowhere, and one that is bound twice', () => {
    const a = new Assembler();
    const label = a.label();
    a.jmp(label);
    expect(() => a.finish()).toThrow('a label is referred to and bound nowhere');
    a.bind(label);
    expect(() => a.bind(label)).toThrow('the label is bound already');
  });
});

/** Bytes of a branch back over so many bytes of code, and over itself. */
function backwards(over: number, emit: (a: Assembler, top: ReturnType<Assembler['here']>) => void): number[] {
  const a = new Assembler();
  const top = a.here();
  while (a.size < over) a.x.ret();
  emit(a, top);
  return [...a.finish().subarray(over)];
}

describe('a branch', () => {
  test('to a bound label takes one byte of distance down to -128, counted from its end, else four', () => {
    expect(backwards(126, (a, top) => a.jmp(top))).toEqual([0xeb, 0x80]);
    expect(backwards(127, (a, top) => a.jmp(top))).toEqual([0xe9, 0x7c, 0xff, 0xff, 0xff]); // -132
    expect(backwards(126, (a, top) => a.j('ne', top))).toEqual([0x75, 0x80]);
    expect(backwards(127, (a, top) => a.j('ne', top))).toEqual([0x0f, 0x85, 0x7b, 0xff, 0xff, 0xff]); // -133
  });

  test('forwards takes four, also where one would do, and arrives', () => {
    for (const distance of [0, 127, 128, 70_000]) {
      const a = new Assembler();
      const end = a.label();
      a.j('e', end);
      while (a.size < 6 + distance) a.x.ret();
      a.bind(end);
      const code = a.finish();
      expect([code[0], code[1], new DataView(code.buffer).getInt32(2, true)]).toEqual([0x0f, 0x84, distance]);
    }
  });
});

describe('constants', () => {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

  test('stand behind the code at multiples of 64, equal ones once', () => {
    const a = new Assembler();
    for (const constant of [bytes(1, 2, 3, 4), bytes(5, 6), bytes(1, 2, 3, 4)]) {
      a.x.vmovups(XMM[0], a.constant(constant)); // 8 bytes each, the displacement in the last four
    }
    const code = a.finish();
    expect(code.length).toBe(128 + 2);
    expect([...code.subarray(64, 68)]).toEqual([1, 2, 3, 4]);
    expect([...code.subarray(128)]).toEqual([5, 6]);
    const view = new DataView(code.buffer);
    const reached = [8, 16, 24].map((end) => end + view.getInt32(end - 4, true));
    expect(reached).toEqual([64, 128, 64]);
  });

  test('are found also by an instruction that ends in an immediate', () => {
    const a = new Assembler();
    a.x.vpshufd(XMM[0], a.constant(bytes(7)), 0); // 9 bytes: the displacement counts from behind the immediate
    const code = a.finish();
    expect(9 + new DataView(code.buffer).getInt32(4, true)).toBe(64);
  });
});

describe('the pool of registers', () => {
  test('names who holds them when none is left', () => {
    const pool = new RegisterPool(16);
    for (let i = 0; i < 16; i++) pool.ymm(`v${i}`);
    expect(() => pool.xmm('more')).toThrow('no vector register is left for "more": in use by v0, v1, v2');
    const masks = new RegisterPool(32);
    for (let i = 1; i < 8; i++) expect(masks.mask(`m${i}`).code).toBe(i); // k0 means no mask
    expect(() => masks.mask('more')).toThrow('no mask register is left');
  });

  test('refuses what is free already under any of its names, and what is taken', () => {
    const pool = new RegisterPool(32);
    const sum = pool.zmm('sum');
    expect(() => pool.reserve(YMM[sum.code], 'other')).toThrow('is in use by "sum"');
    pool.free(YMM[sum.code]);
    expect(() => pool.free(sum)).toThrow(`${sum} is free already`);
    expect(() => pool.free(rcx)).toThrow('rcx is free already');
  });

  test('never hands out rsp, and each other general register once', () => {
    const pool = new RegisterPool(16);
    const codes = Array.from({ length: 15 }, (_, i) => pool.gpr(`g${i}`).code).sort((a, b) => a - b);
    expect(codes).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(() => pool.gpr('more')).toThrow('no general register is left');
  });

  test('takes back at the end of a scope what was taken there, also after an error', () => {
    const pool = new RegisterPool(16);
    pool.scope(() => {
      const given = pool.ymm('given back');
      pool.ymm('kept');
      pool.free(given);
      expect(pool.xmm('the same again').code).toBe(given.code);
      expect(pool.freeVectors).toBe(14);
    });
    expect(pool.freeVectors).toBe(16);
    const broken = (): void =>
      pool.scope(() => {
        pool.ymm('lost');
        throw new Error('broken');
      });
    expect(broken).toThrow('broken');
    expect(pool.freeVectors).toBe(16);
  });
});
