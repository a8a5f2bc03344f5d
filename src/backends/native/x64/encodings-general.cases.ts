/** Samples of every instruction of general registers. */
import type { Assembler, Instructions } from './assembler.ts';
import { ADDRESSES, type Sample, SIZE_NAMES, textOfAddress } from './encodings.cases.ts';
import { CONDITIONS, type Condition, type GENERAL } from './general.ts';
import { type Gpr, low32, type Memory, memOf, R64 } from './registers.ts';

type Mnemonic = keyof typeof GENERAL;
type Emit = (x: Instructions, at: Memory) => void;

/** Pairs of registers with every combination of extension bits, and those whose numbers mean something else in ModRM. */
const PAIRS: readonly (readonly [number, number])[] = [
  [1, 2],
  [9, 3],
  [6, 10],
  [12, 13],
  [5, 4],
];

const WORDS = [...R64].map(({ code }) => {
  const low = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
  return low[code] ?? `r${code}w`;
});
const BYTES = [...R64].map(({ code }) => {
  const low = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];
  return low[code] ?? `r${code}b`;
});

/** The register's name at a width of 1, 2, 4 or 8 bytes. */
function named(register: Gpr, bytes: number): string {
  const narrow = { 1: BYTES, 2: WORDS }[bytes];
  return narrow?.[register.code] ?? `${bytes === 4 ? low32(register) : register}`;
}

const make = (mnemonic: Mnemonic, text: string, emit: (a: Assembler) => void): Sample => ({
  mnemonic,
  text,
  preferEvex: false,
  emit,
});

/** One sample for each address. @param size bytes of memory; 0 leaves the size out. */
function inMemory(mnemonic: Mnemonic, size: number, text: (at: string) => string, emit: Emit): Sample[] {
  return ADDRESSES.map((address) => {
    const size_ = size ? `${SIZE_NAMES[size]} ptr ` : '';
    const where = address === 'rip' ? '[rip+64]' : textOfAddress(address);
    return make(mnemonic, text(size_ + where), (a) => {
      const label = a.label();
      emit(a.x, address === 'rip' ? memOf(label, 64) : address);
      a.bind(label);
    });
  });
}

const someMemory = (...all: Parameters<typeof inMemory>): Sample[] => {
  const seed = all[0].length;
  return inMemory(...all).filter((_, i) => (i + seed) % 4 === 0 || ADDRESSES[i] === 'rip');
};

function pairs(
  mnemonic: Mnemonic,
  text: (a: Gpr, b: Gpr) => string,
  emit: (x: Instructions, a: Gpr, b: Gpr) => void,
) {
  return PAIRS.map(([i, j]) => make(mnemonic, text(R64[i], R64[j]), (a) => emit(a.x, R64[i], R64[j])));
}

function singles(
  mnemonic: Mnemonic,
  text: (a: Gpr) => string,
  emit: (x: Instructions, a: Gpr) => void,
): Sample[] {
  return R64.map((one) => make(mnemonic, text(one), (a) => emit(a.x, one)));
}

const IMMEDIATES = [0, 1, -1, 127, -128, 128, -129, 2 ** 31 - 1, -(2 ** 31)];

/** Not rax: GNU as has a shorter form for it. */
function immediates(
  mnemonic: Mnemonic,
  values: readonly number[],
  text: (a: Gpr, value: number) => string,
  emit: (x: Instructions, a: Gpr, value: number) => void,
): Sample[] {
  return values.map((value, i) => {
    const register = R64[1 + ((5 * i) % 15)];
    return make(mnemonic, text(register, value), (a) => emit(a.x, register, value));
  });
}

const ARITHMETIC = ['add', 'or', 'and', 'sub', 'xor', 'cmp'] as const;

const arithmetic = ARITHMETIC.flatMap((name) => [
  ...pairs(
    name,
    (a, b) => `${name} ${a},${b}`,
    (x, a, b) => x[name](a, b),
  ),
  ...immediates(
    name,
    IMMEDIATES,
    (a, value) => `${name} ${a},${value}`,
    (x, a, value) => x[name](a, value),
  ),
  ...someMemory(
    name,
    8,
    (at) => `${name} r10,${at}`,
    (x, at) => x[name](R64[10], at),
  ),
  ...someMemory(
    name,
    8,
    (at) => `${name} ${at},rbx`,
    (x, at) => x[name](at, R64[3]),
  ),
  ...someMemory(
    name,
    8,
    (at) => `${name} ${at},5`,
    (x, at) => x[name](at, 5),
  ),
  ...someMemory(
    name,
    8,
    (at) => `${name} ${at},500`,
    (x, at) => x[name](at, 500),
  ),
]);

/** Loads: our name, GNU's, bytes of memory. */
const LOADS = [
  ['load32s', 'movsxd', 4],
  ['load16', 'movzx', 2],
  ['load16s', 'movsx', 2],
  ['load8', 'movzx', 1],
  ['load8s', 'movsx', 1],
] as const;

const STORES = [
  ['store64', 8],
  ['store32', 4],
  ['store16', 2],
  ['store8', 1],
] as const;

const moves = [
  ...pairs(
    'mov',
    (a, b) => `{load} mov ${a},${b}`,
    (x, a, b) => x.mov(a, b),
  ),
  ...inMemory(
    'mov',
    8,
    (at) => `mov rdx,${at}`,
    (x, at) => x.mov(R64[2], at),
  ),
  ...immediates(
    'mov',
    IMMEDIATES,
    (a, value) => `mov ${a},${value}`,
    (x, a, value) => x.mov(a, value),
  ),
  ...immediates(
    'mov',
    [2 ** 31, -(2 ** 31) - 1, 2 ** 47, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    (a, value) => `movabs ${a},${value}`,
    (x, a, value) => x.mov(a, value),
  ),
  ...LOADS.flatMap(([name, gnu, bytes]) => [
    ...pairs(
      name,
      (a, b) => `${gnu} ${a},${named(b, bytes)}`,
      (x, a, b) => x[name](a, b),
    ),
    ...someMemory(
      name,
      bytes,
      (at) => `${gnu} r9,${at}`,
      (x, at) => x[name](R64[9], at),
    ),
    ...someMemory(
      name,
      bytes,
      (at) => `${gnu} rsi,${at}`,
      (x, at) => x[name](R64[6], at),
    ),
  ]),
  ...pairs(
    'load32',
    (a, b) => `{load} mov ${low32(a)},${low32(b)}`,
    (x, a, b) => x.load32(a, b),
  ),
  ...someMemory(
    'load32',
    4,
    (at) => `mov r8d,${at}`,
    (x, at) => x.load32(R64[8], at),
  ),
  ...someMemory(
    'load32',
    4,
    (at) => `mov ecx,${at}`,
    (x, at) => x.load32(R64[1], at),
  ),
  ...STORES.flatMap(([name, bytes]) =>
    [1, 6, 13].flatMap((code) =>
      someMemory(
        name,
        bytes,
        (at) => `mov ${at},${named(R64[code], bytes)}`,
        (x, at) => x[name](at, R64[code]),
      ),
    ),
  ),
  ...someMemory(
    'store64',
    8,
    (at) => `mov ${at},-77777`,
    (x, at) => x.store64(at, -77777),
  ),
  ...someMemory(
    'store32',
    4,
    (at) => `mov ${at},77777`,
    (x, at) => x.store32(at, 77777),
  ),
  ...inMemory(
    'lea',
    0,
    (at) => `lea r15,${at}`,
    (x, at) => x.lea(R64[15], at),
  ),
  ...inMemory(
    'lea',
    0,
    (at) => `lea rbp,${at}`,
    (x, at) => x.lea(R64[5], at),
  ),
];

const COUNTS = ['tzcnt', 'lzcnt', 'popcnt'] as const;
const SHIFTS = ['shl', 'shr', 'sar'] as const;
const FACTORS = [3, -128, 127, 128, 100000];

const others = [
  ...pairs(
    'test',
    (a, b) => `test ${a},${b}`,
    (x, a, b) => x.test(a, b),
  ),
  ...immediates(
    'test',
    [1, -1, 255, 65536],
    (a, value) => `test ${a},${value}`,
    (x, a, value) => x.test(a, value),
  ),
  ...pairs(
    'imul',
    (a, b) => `imul ${a},${b}`,
    (x, a, b) => x.imul(a, b),
  ),
  ...someMemory(
    'imul',
    8,
    (at) => `imul r11,${at}`,
    (x, at) => x.imul(R64[11], at),
  ),
  ...FACTORS.flatMap((factor) => [
    ...pairs(
      'imul',
      (a, b) => `imul ${a},${b},${factor}`,
      (x, a, b) => x.imul(a, b, factor),
    ),
    ...someMemory(
      'imul',
      8,
      (at) => `imul rdi,${at},${factor}`,
      (x, at) => x.imul(R64[7], at, factor),
    ),
  ]),
  ...(['div', 'neg', 'not', 'push', 'pop'] as const).flatMap((name) =>
    singles(
      name,
      (a) => `${name} ${a}`,
      (x, a) => x[name](a),
    ),
  ),
  ...someMemory(
    'div',
    8,
    (at) => `div ${at}`,
    (x, at) => x.div(at),
  ),
  ...SHIFTS.flatMap((name) =>
    immediates(
      name,
      [2, 3, 31, 63],
      (a, count) => `${name} ${a},${count}`,
      (x, a, count) => x[name](a, count),
    ),
  ),
  ...COUNTS.flatMap((name) => [
    ...pairs(
      name,
      (a, b) => `${name} ${a},${b}`,
      (x, a, b) => x[name](a, b),
    ),
    ...someMemory(
      name,
      8,
      (at) => `${name} r14,${at}`,
      (x, at) => x[name](R64[14], at),
    ),
  ]),
  ...(Object.keys(CONDITIONS) as Condition[]).flatMap((condition, i) => [
    ...pairs(
      'cmov',
      (a, b) => `cmov${condition} ${a},${b}`,
      (x, a, b) => x.cmov(condition, a, b),
    ),
    make('set', `set${condition} ${BYTES[i]}`, (a) => a.x.set(condition, R64[i])),
  ]),
  ...someMemory(
    'cmov',
    8,
    (at) => `cmovl rax,${at}`,
    (x, at) => x.cmov('l', R64[0], at),
  ),
  ...singles(
    'callAt',
    (a) => `call ${a}`,
    (x, a) => x.callAt(a),
  ),
  ...someMemory(
    'callAt',
    8,
    (at) => `call ${at}`,
    (x, at) => x.callAt(at),
  ),
  ...singles(
    'jmpAt',
    (a) => `jmp ${a}`,
    (x, a) => x.jmpAt(a),
  ),
  ...someMemory(
    'jmpAt',
    8,
    (at) => `jmp ${at}`,
    (x, at) => x.jmpAt(at),
  ),
];

/** Memory first, register second: our name, GNU's, bytes. */
const ATOMICS = [
  ['lockXadd32', 'lock xadd', 4],
  ['lockXadd64', 'lock xadd', 8],
  ['lockCmpxchg32', 'lock cmpxchg', 4],
  ['xchg32', 'xchg', 4],
  ['xchg64', 'xchg', 8],
] as const;
const PREFETCHES = ['prefetcht0', 'prefetcht1', 'prefetchnta'] as const;
const PLAIN = {
  ret: 'ret',
  ud2: 'ud2',
  syscall: 'syscall',
  pause: 'pause',
  cpuid: 'cpuid',
  xgetbv: 'xgetbv',
  rdtsc: 'rdtsc',
  mfence: 'mfence',
  sfence: 'sfence',
  lfence: 'lfence',
  repMovsb: 'rep movsb',
  vzeroupper: 'vzeroupper',
  vzeroall: 'vzeroall',
  tilerelease: 'tilerelease',
} as const satisfies Partial<Record<Mnemonic, string>>;

const rest = [
  ...ATOMICS.flatMap(([name, gnu, bytes]) =>
    [0, 7, 12].flatMap((code) =>
      someMemory(
        name,
        bytes,
        (at) => `${gnu} ${at},${named(R64[code], bytes)}`,
        (x, at) => x[name](at, R64[code]),
      ),
    ),
  ),
  ...PREFETCHES.flatMap((name) =>
    someMemory(
      name,
      1,
      (at) => `${name} ${at}`,
      (x, at) => x[name](at),
    ),
  ),
  ...Object.entries(PLAIN).map(([name, text]) =>
    make(name as Mnemonic, text, (a) => a.x[name as keyof typeof PLAIN]()),
  ),
];

export const generalSamples: readonly Sample[] = [...arithmetic, ...moves, ...others, ...rest];
