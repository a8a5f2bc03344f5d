/** Levels: the sets of CPU features that kernels are generated for. */

/** What the CPU and the system offer, as far as kernels care. */
export interface Features {
  /** AVX2, FMA, F16C, BMI1, BMI2: the least that any level needs. */
  readonly avx2: boolean;
  /** vpdpbusd and vpdpwssd in VEX form. */
  readonly avxVnni: boolean;
  /** F, BW, VL, DQ, CD, VNNI: Cascade Lake, Zen 4 and later. */
  readonly avx512: boolean;
  /** VBMI, GFNI and BITALG on top: Ice Lake, Zen 4 and later. */
  readonly avx512Vbmi: boolean;
  readonly avx512Bf16: boolean;
  /** AMX-TILE, AMX-INT8, AMX-BF16, and the system's permission to use them. */
  readonly amx: boolean;
}

export interface Level {
  readonly name: LevelName;
  /** Bytes of a vector. */
  readonly bytes: 32 | 64;
  /** Dot products of bytes and of 16-bit integers: vpdpbusd, vpdpwssd. */
  readonly vnni: boolean;
  /** Whether those have to be in EVEX form: the machine has AVX-512-VNNI, maybe without AVX-VNNI. */
  readonly evexVnni: boolean;
  /** 32 registers, masks, 512 bits. */
  readonly avx512: boolean;
  /** Besides avx512 permutations of bytes across a vector and of their bits: VBMI, GFNI, BITALG. */
  readonly vbmi: boolean;
  /** Tiles: of the hardware, or the same steps made with AVX-512, slow, for tests on other machines. */
  readonly amx: 'hardware' | 'emulated' | undefined;
}

const wide = { bytes: 64, vnni: true, evexVnni: true, avx512: true } as const;
const narrow = { bytes: 32, avx512: false, vbmi: false, amx: undefined } as const;

/** Best first. `evex256` and `amx-emulated` exist for tests: the kernels of other machines on this one. */
export const LEVELS = {
  amx: { name: 'amx', ...wide, vbmi: true, amx: 'hardware' },
  avx512vbmi: { name: 'avx512vbmi', ...wide, vbmi: true, amx: undefined },
  avx512: { name: 'avx512', ...wide, vbmi: false, amx: undefined },
  avxvnni: { name: 'avxvnni', ...narrow, vnni: true, evexVnni: false },
  avx2: { name: 'avx2', ...narrow, vnni: false, evexVnni: false },
  evex256: { name: 'evex256', ...narrow, vnni: true, evexVnni: true },
  'amx-emulated': { name: 'amx-emulated', ...wide, vbmi: false, amx: 'emulated' },
} as const satisfies Record<string, Omit<Level, 'name'> & { name: string }>;

export type LevelName = keyof typeof LEVELS;

export const LEVEL_NAMES = Object.keys(LEVELS) as LevelName[];

const AVX2 = 'AVX2, FMA, F16C, BMI1 and BMI2';
const AVX512 = 'AVX-512 F, BW, VL, DQ, CD and VNNI';

/** What a level needs, in words. */
export const LEVEL_NEEDS = {
  amx: `AMX tiles, int8 and bf16, and ${AVX512}, VBMI, GFNI and BF16`,
  avx512vbmi: `${AVX512}, VBMI and GFNI`,
  avx512: AVX512,
  avxvnni: `AVX-VNNI, and ${AVX2}`,
  avx2: AVX2,
  evex256: `${AVX512}; for tests: 256 bits of it`,
  'amx-emulated': `${AVX512}, and BF16; for tests: tiles made of it, slow`,
} as const satisfies Record<LevelName, string>;

/** Whether a machine runs the level. */
const RUNS = {
  amx: ({ amx, avx512Vbmi, avx512Bf16 }) => amx && avx512Vbmi && avx512Bf16,
  avx512vbmi: ({ avx512Vbmi }) => avx512Vbmi,
  avx512: ({ avx512 }) => avx512,
  avxvnni: ({ avx2, avxVnni }) => avx2 && avxVnni,
  avx2: ({ avx2 }) => avx2,
  evex256: ({ avx512 }) => avx512,
  'amx-emulated': ({ avx512, avx512Bf16 }) => avx512 && avx512Bf16,
} as const satisfies Record<LevelName, (features: Features) => boolean>;

/** Levels that this machine runs, best first. */
export function levelsOf(features: Features): LevelName[] {
  return LEVEL_NAMES.filter((name) => RUNS[name](features));
}

/** The level that is chosen where nobody asks for one; undefined where not even AVX2 is there. */
export function bestLevel(features: Features): Level | undefined {
  const [best] = levelsOf(features);
  return best === undefined ? undefined : LEVELS[best];
}
