/**
 * What this CPU can do, asked by machine code: cpuid says what there is, xgetbv what the system saves on a switch of
 * threads. Source: Intel SDM volume 2, CPUID; leaf and bit numbers from there.
 */
import type { Features } from './level.ts';
import type { NativeSystem } from './system.ts';
import { Assembler, mem, r8, r9, rax, rbx, rcx, rdi, rdx, rsi } from './x64/index.ts';

/** Registers of a leaf. */
export interface CpuId {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** `cpuid(leaf, subleaf, out)`: eax, ebx, ecx, edx to i32s at `out`; with leaf -1 the low half of XCR0. */
function queryCode(): Uint8Array {
  const a = new Assembler();
  const { x } = a;
  const done = a.label();
  const control = a.label();
  x.mov(r8, rdx);
  x.mov(r9, rbx);
  x.cmp(rdi, -1);
  a.j('e', control);
  x.mov(rax, rdi);
  x.mov(rcx, rsi);
  x.cpuid();
  a.jmp(done);
  a.bind(control);
  x.xor(rcx, rcx);
  x.xgetbv();
  a.bind(done);
  [rax, rbx, rcx, rdx].forEach((register, i) => {
    x.store32(mem(r8, 4 * i), register);
  });
  x.mov(rbx, r9);
  x.ret();
  return a.finish();
}

export type CpuQuery = (leaf: number, subleaf?: number) => CpuId;

/** Hands `use` a way to ask the CPU. */
export function withCpuQuery<T>(system: NativeSystem, use: (query: CpuQuery) => T): T {
  const code = system.mapCode(queryCode());
  const out = system.map(16, 'cpuid');
  try {
    const { call } = system.function(code.address);
    return use((leaf, subleaf = 0) => {
      call(leaf, subleaf, out.address);
      const [eax, ebx, ecx, edx] = new Uint32Array(system.view(out.address, 16));
      return { eax, ebx, ecx, edx };
    });
  } finally {
    code.unmap();
    out.unmap();
  }
}

const bits = (word: number, ...places: readonly number[]): boolean =>
  places.every((place) => ((word >>> place) & 1) === 1);

/** XCR0: xmm and ymm; opmask and zmm; tile configuration and data. */
const SAVES = { ymm: [1, 2], zmm: [5, 6, 7], tiles: [17, 18] } as const;

/** The system call that allows a process to use tiles: `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`. */
const ARCH_PRCTL = 158;
const ARCH_REQ_XCOMP_PERM = 0x1023;
const XTILEDATA = 18;

/**
 * Asks the system for tiles, for all threads of this process. False where the system or the CPU has none.
 * Source: Linux, Documentation/arch/x86/xstate.rst.
 */
export function tilesGranted(system: NativeSystem): boolean {
  const a = new Assembler();
  const { x } = a;
  x.mov(rax, ARCH_PRCTL);
  x.mov(rdi, ARCH_REQ_XCOMP_PERM);
  x.mov(rsi, XTILEDATA);
  x.syscall();
  x.ret();
  const code = system.mapCode(a.finish());
  try {
    return system.function(code.address).call() === 0;
  } finally {
    code.unmap();
  }
}

export function cpuFeatures(system: NativeSystem): Features {
  return withCpuQuery(system, (query) => {
    const top = query(0).eax;
    const basic = query(1);
    const none = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    const seven = top >= 7 ? query(7) : none;
    const sevenOne = top >= 7 && seven.eax >= 1 ? query(7, 1) : none;
    // 27: the system uses xsave, so xgetbv may be asked.
    const saved = bits(basic.ecx, 27) ? query(-1).eax : 0;
    const avx2 = bits(saved, ...SAVES.ymm) && bits(basic.ecx, 12, 28, 29) && bits(seven.ebx, 3, 5, 8);
    const avx512 =
      avx2 && bits(saved, ...SAVES.zmm) && bits(seven.ebx, 16, 17, 28, 30, 31) && bits(seven.ecx, 11);
    return {
      avx2,
      avxVnni: avx2 && bits(sevenOne.eax, 4),
      avx512,
      avx512Vbmi: avx512 && bits(seven.ecx, 1, 8, 12),
      avx512Bf16: avx512 && bits(sevenOne.eax, 5),
      // Without the system's word the first tile instruction would end the process.
      amx: avx512 && bits(saved, ...SAVES.tiles) && bits(seven.edx, 22, 24, 25) && tilesGranted(system),
    };
  });
}
