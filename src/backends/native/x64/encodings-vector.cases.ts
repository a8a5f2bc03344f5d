/** Samples of every line of the table of vector instructions. */
import { ADDRESSES, type Address, type Sample, SIZE_NAMES, textOfAddress } from './encodings.cases.ts';
import {
  broadcast,
  isMasked,
  isMemory,
  isVec,
  Label,
  MASKS,
  type Memory,
  masked,
  memAt,
  memOf,
  type Operand,
  R32,
  R64,
  Register,
  type RegisterKind,
  r12,
  r13,
  r14,
  rax,
  rbp,
  rbx,
  rcx,
  rsp,
  TILES,
  XMM,
  YMM,
  ZMM,
  zeroing,
} from './registers.ts';
import { VECTOR_FORMS, type VectorForm, type VectorMnemonic } from './vector-table.ts';

/** Names of GNU as where ours differ by more than a suffix. */
const EVEX_NAMES: Readonly<Record<string, string>> = {
  vpand: 'vpandd',
  vpandn: 'vpandnd',
  vpor: 'vpord',
  vpxor: 'vpxord',
  vmovdqu: 'vmovdqu32',
  vmovdqa: 'vmovdqa32',
};

const SUFFIX = /_(store|gpr|vex|from|to)$/;

function nameOf(mnemonic: string, evex: boolean): string {
  const name = mnemonic.replace(SUFFIX, '');
  return (evex && EVEX_NAMES[name]) || name;
}

/** Kinds of registers where they are not vectors: the roles `r`, `v` and `m`. First match. */
const KINDS: readonly (readonly [RegExp, Readonly<Record<string, RegisterKind>>])[] = [
  [/^kmovq_from$/, { r: 'mask', m: 'r64' }],
  [/^kmovq_to$/, { r: 'r64', m: 'mask' }],
  [/^kmov._from$/, { r: 'mask', m: 'r32' }],
  [/^kmov._to$/, { r: 'r32', m: 'mask' }],
  [/^k/, { r: 'mask', v: 'mask', m: 'mask' }],
  [/^(tdp|tile|ldtile|sttile)/, { r: 'tile', v: 'tile', m: 'tile' }],
  [/^(andn|bextr|sh[lr]x|sarx|pdep|pext|bzhi|rorx|mulx)$/, { r: 'r64', v: 'r64', m: 'r64' }],
  [/^vcvtts[sd]2si$/, { r: 'r64' }],
  [/^(vcvtsi2s[sd]|vmovq(_store)?|vp(ins|ext)rq|vpbroadcastq_gpr)$/, { m: 'r64' }],
  [/^(vmovd(_store)?|vp(ins|ext)r[bwd]|vpbroadcast[bwd]_gpr)$/, { m: 'r32' }],
  [/^(vpmovmskb|vmovmskps)$/, { r: 'r32' }],
  [/^(vpcmpu?[bwdq]|vptestn?m[bwdq]|vpmov[bwdq]2m|vpshufbitqmb)$/, { r: 'mask' }],
  [/^vpmovm2[bwdq]$/, { m: 'mask' }],
];

/** Comparisons that write a vector in VEX form and a mask in EVEX form. */
const MASK_IN_EVEX = /^(vcmpp[sd]|vpcmp(eq|gt)[bwd])$/;
/** Least and most bytes of the longest vector, where not all lengths are there. */
const LENGTHS: readonly (readonly [RegExp, number, number])[] = [
  [/^(v(broadcast|insert|extract)[if](64x4|32x8))/, 64, 64],
  [/^v(broadcast|insert|extract)[if]/, 32, 64],
  [/^(vperm(ps|pd|d|q)|vbroadcastsd|vperm2|vshuf[if])/, 32, 64],
  [/^vpbroadcast|^vbroadcastss|^vgather|^vpgather|^vpcompress|^vpexpand/, 16, 64],
];

/** Of the memory's size a gather's index is this part of the destination. */
const INDEX_PART: Readonly<Record<string, number>> = { vpgatherdq: 2, vpgatherdq_vex: 2 };

/** Their memory is as large as the vector, though displacements count elements. */
const WHOLE = /^vp(compress|expand)d$/;

const GATHER = /^vp?gather/;

const FILES = { 16: XMM, 32: YMM, 64: ZMM } as const;
const LENGTH_LIST = [16, 32, 64] as const;
type Length = (typeof LENGTH_LIST)[number];

function lengthsOf(mnemonic: string, form: VectorForm, evex: boolean): Length[] {
  const known = LENGTHS.find(([pattern]) => pattern.test(mnemonic));
  const most = evex ? 64 : 32;
  if (known) return LENGTH_LIST.filter((length) => length >= known[1] && length <= Math.min(known[2], most));
  const scalar = 'fixed' in form.memory;
  const narrowest = form.narrows || 'part' in form.memory ? 16 : 0;
  return scalar ? [16] : LENGTH_LIST.filter((length) => length >= narrowest && length <= most);
}

/** Numbers without order, the same every time: registers, addresses and immediates of the samples. */
class Choice {
  #at: number;

  constructor(seed: number) {
    this.#at = seed;
  }

  next(): number {
    this.#at = (Math.imul(this.#at, 1103515245) + 12345) & 0x7fffffff;
    return this.#at >>> 8;
  }

  /** From 0 to `count` - 1. */
  of(count: number): number {
    return this.next() % count;
  }
}

interface Wish {
  readonly evex: boolean;
  readonly length: Length;
  /** The operand `m`. */
  readonly operand: 'register' | 'memory' | 'broadcast';
  readonly mask?: 'merge' | 'zero';
}

class VectorSample {
  readonly #mnemonic: VectorMnemonic;
  readonly #form: VectorForm;
  readonly #wish: Wish;
  readonly #choice: Choice;
  readonly #used = new Set<number>();
  /** A register that needs VEX's third byte: GNU as may swap operands to save it. */
  #highOperand = false;

  constructor(mnemonic: VectorMnemonic, form: VectorForm, wish: Wish, choice: Choice) {
    this.#mnemonic = mnemonic;
    this.#form = form;
    this.#wish = wish;
    this.#choice = choice;
  }

  sample(): Sample {
    const { evex, mask } = this.#wish;
    const address = ADDRESSES[this.#choice.of(ADDRESSES.length)];
    const roles = [...this.#form.form];
    const parts = roles.map((role) => this.#operand(role, address));
    const texts = parts.map(({ text }) => text);
    const operands = parts.map(({ operand }) => operand);
    if (mask) {
      const by = MASKS[1 + this.#choice.of(7)];
      const [target] = operands;
      if (isMemory(target) || (target instanceof Register && !isVec(target))) {
        operands[0] = masked(target as Memory, by);
      } else if (isVec(target)) operands[0] = mask === 'zero' ? zeroing(target, by) : masked(target, by);
      texts[0] += `{${by}}${mask === 'zero' ? '{z}' : ''}`;
    }
    const places = operands.map((one) => (isMasked(one) ? one.target : one)).filter(isMemory);
    const rip = places.some(({ label }) => label !== undefined);
    return {
      mnemonic: this.#mnemonic,
      text: `${this.#pseudo()}${nameOf(this.#mnemonic, evex)} ${texts.join(',')}`,
      preferEvex: evex,
      emit: (a) => {
        const label = a.label();
        const bound = operands.map((one) =>
          rip && isMemory(one)
            ? { ...memOf(label, 64), broadcast: one.broadcast }
            : maskedRip(one, rip, label),
        );
        a.x[this.#mnemonic](...bound);
        a.bind(label);
      },
    };
  }

  /** What makes GNU as choose our form among equal ones. */
  #pseudo(): string {
    const { vex, evex } = this.#form;
    const direction = this.#mnemonic.endsWith('_store') || this.#mnemonic === 'vpextrw' ? '{store} ' : '';
    if (this.#wish.evex) return vex && evex ? `{evex} ${direction}` : direction;
    if (this.#highOperand) return `{vex3} ${direction}`;
    return vex && evex ? `{vex} ${direction}` : direction;
  }

  #kind(role: string): RegisterKind {
    if (role === 'r' && this.#wish.evex && MASK_IN_EVEX.test(this.#mnemonic)) return 'mask';
    const known = KINDS.find(([pattern]) => pattern.test(this.#mnemonic))?.[1][role];
    return known ?? this.#vector(role);
  }

  #vector(role: string): RegisterKind {
    const { length } = this.#wish;
    const { memory, narrows } = this.#form;
    const bytes = role === 'm' ? this.#memoryBytes() : role === 'r' && narrows ? length / 2 : length;
    const narrow = role === 'm' && 'fixed' in memory && bytes < 16 ? 16 : bytes;
    return FILES[Math.max(16, narrow) as Length][0].kind;
  }

  #memoryBytes(): number {
    const { memory } = this.#form;
    if (WHOLE.test(this.#mnemonic)) return this.#wish.length;
    return 'fixed' in memory ? memory.fixed : this.#wish.length / memory.part;
  }

  #operand(role: string, address: Address): { readonly operand: Operand; readonly text: string } {
    if (role === 'i') {
      const value = this.#choice.of(4) * 37 + 1;
      return { operand: value, text: `${value}` };
    }
    if (role === 'm' && this.#wish.operand !== 'register') return this.#memory(address);
    const register = this.#register(this.#kind(role));
    if (role === 'm' && register.code > 7) this.#highOperand = true;
    return { operand: register, text: `${register}` };
  }

  /** Different ones: tile products and gathers want that. */
  #register(kind: RegisterKind): Register {
    const file = { r64: R64, r32: R32, xmm: XMM, ymm: YMM, zmm: ZMM, mask: MASKS, tile: TILES }[kind];
    const vector = kind === 'xmm' || kind === 'ymm' || kind === 'zmm';
    const count = vector && !this.#wish.evex ? 16 : file.length;
    let code = this.#choice.of(count);
    while (this.#used.has(code) || (kind === 'r32' && code === 4)) code = (code + 1) % count;
    this.#used.add(code);
    return file[code];
  }

  #memory(address: Address): { readonly operand: Memory; readonly text: string } {
    const bare = address === 'rip' ? memOf(new Label(), 64) : address;
    if (GATHER.test(this.#mnemonic)) return this.#gathered();
    const tile = /^tile(load|store)/.test(this.#mnemonic);
    const at = tile && !bare.index ? memAt(rbx, r14, 1, 64) : bare;
    if (this.#wish.operand === 'broadcast') {
      const element = 'element' in this.#form.memory ? (this.#form.memory.element ?? 0) : 0;
      const lanes = this.#memoryBytes() / element;
      return { operand: broadcast(at), text: `${SIZE_NAMES[element]} ptr ${textOfAddress(at)}{1to${lanes}}` };
    }
    const size = /^(tile|ldtile|sttile)/.test(this.#mnemonic)
      ? ''
      : `${SIZE_NAMES[this.#memoryBytes()]} ptr `;
    return { operand: at, text: `${size}${textOfAddress(at)}` };
  }

  #gathered(): { readonly operand: Memory; readonly text: string } {
    const { length } = this.#wish;
    const bytes = Math.max(16, length / (INDEX_PART[this.#mnemonic] ?? 1)) as Length;
    const index = this.#register(FILES[bytes][0].kind);
    const base = [rax, r13, rbp, r12, rsp][this.#choice.of(5)];
    const disp = [0, 8, -128, 1000][this.#choice.of(4)];
    const memory = memAt(base, isVec(index) ? index : rcx, [1, 2, 4, 8][this.#choice.of(4)] as 1, disp);
    return { operand: memory, text: `${SIZE_NAMES[this.#memoryBytes()]} ptr ${textOfAddress(memory)}` };
  }
}

function maskedRip(one: Operand, rip: boolean, label: Label): Operand {
  if (!rip || !isMasked(one) || !isMemory(one.target)) return one;
  return masked(memOf(label, 64), one.mask);
}

/** No masks: what does not write single lanes, or writes no vector. */
const UNMASKED =
  /^(vucomis|vmovnt|vmov[hl]p[sd]|vmov(d|q)(_store)?$|vpinsr|vpextr|vcvtt?s[sd]2si|vcvtsi2|vps[lr]ldq|vpsadbw|vpmov(m2|[bd]2m))/;

function wishesOf(mnemonic: string, form: VectorForm): Wish[] {
  const wishes: Wish[] = [];
  const hasM = form.form.includes('m');
  const operands = (['register', 'memory'] as const).filter((one) =>
    form.only ? form.only === one : hasM || one === 'register',
  );
  for (const evex of [false, true]) {
    if (!(evex ? form.evex : form.vex)) continue;
    for (const length of lengthsOf(mnemonic, form, evex)) {
      for (const operand of operands) {
        if (impossible(mnemonic, form, { evex, length, operand })) continue;
        wishes.push({ evex, length, operand });
        if (length === 16 || !evex) wishes.push({ evex, length, operand });
      }
    }
    if (evex) wishes.push(...evexWishes(mnemonic, form, operands));
  }
  return wishes;
}

function impossible(mnemonic: string, form: VectorForm, { evex, length, operand }: Wish): boolean {
  if (GATHER.test(mnemonic) && evex) return true; // has to have a mask
  if (operand !== 'memory') return false;
  if (/^vmovq/.test(mnemonic) && !evex) return true; // GNU as has another opcode for it
  if (form.form === 'vmi' && !evex) return true;
  return form.narrows && length === 16;
}

function evexWishes(mnemonic: string, form: VectorForm, operands: readonly Wish['operand'][]): Wish[] {
  const length = lengthsOf(mnemonic, form, true).at(-1) ?? 64;
  const [operand] = operands;
  const wishes: Wish[] = [];
  const toMemory = form.form.startsWith('m') && operand === 'memory';
  const toMask = MASK_IN_EVEX.test(mnemonic) || /^(vpcmp|vptest|vpshufbit)/.test(mnemonic);
  const gather = GATHER.test(mnemonic);
  if (!UNMASKED.test(mnemonic)) {
    wishes.push({ evex: true, length, operand, mask: 'merge' });
    if (gather)
      for (const each of lengthsOf(mnemonic, form, true))
        wishes.push({ evex: true, length: each, operand, mask: 'merge' });
    if (!toMemory && !toMask && !gather) wishes.push({ evex: true, length, operand, mask: 'zero' });
  }
  if ('element' in form.memory && form.memory.element) {
    for (const each of lengthsOf(mnemonic, form, true)) {
      if (!(form.narrows && each === 16)) wishes.push({ evex: true, length: each, operand: 'broadcast' });
    }
  }
  return wishes;
}

/** Of every line of the table; those of a line do not depend on the other lines. */
export function vectorSamples(): Sample[] {
  return [...VECTOR_FORMS].flatMap(([name, form]) => {
    const choice = new Choice([...name].reduce((sum, letter) => 31 * sum + letter.charCodeAt(0), 7) % 1e9);
    return wishesOf(name, form).map((wish) =>
      new VectorSample(name as VectorMnemonic, form, wish, choice).sample(),
    );
  });
}
