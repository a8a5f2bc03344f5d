/**
 * The assembler: instructions in, machine code out. `x.vaddps(zmm0, zmm1, mem(rdi, 64))` appends one; labels are bound
 * once and referred to any number of times; constants stand behind the code, each once.
 */
import { type Encoded, encodeVector } from './encode.ts';
import { CONDITIONS, type Condition, GENERAL } from './general.ts';
import { Label, type Memory, memOf, type Operand } from './registers.ts';
import { VECTOR_FORMS, type VectorMnemonic } from './vector-table.ts';

type General = {
  readonly [M in keyof typeof GENERAL]: (...operands: Parameters<(typeof GENERAL)[M]>) => void;
};
type Vector = { readonly [M in VectorMnemonic]: (...operands: Operand[]) => void };

/** Every instruction as a method that appends it. */
export type Instructions = General & Vector;

interface Fixup {
  /** Of the 32-bit displacement. */
  readonly at: number;
  /** Where the instruction ends: what the displacement is relative to. */
  readonly end: number;
  readonly label: Label;
  readonly addend: number;
}

/** Constants start at a multiple of this many bytes: no vector load crosses a cache line. */
const CONSTANT_ALIGNMENT = 64;
/** Filler before aligned labels and constants: the longest no-operation of 1 byte. */
const NOP = 0x90;

export class Assembler {
  readonly x: Instructions;
  /** Whether instructions with both forms take EVEX: where AVX-512 is there and AVX-VNNI may not be. */
  readonly #preferEvex: ReadonlySet<string>;
  #bytes = new Uint8Array(4096);
  #size = 0;
  readonly #fixups: Fixup[] = [];
  readonly #constants = new Map<string, { readonly label: Label; readonly bytes: Uint8Array }>();

  /** @param preferEvex mnemonics whose VEX form needs a feature of its own, which is not to be relied on. */
  constructor(preferEvex: Iterable<VectorMnemonic> = []) {
    this.#preferEvex = new Set(preferEvex);
    this.x = this.#instructions();
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  label(): Label {
    return new Label();
  }

  /** Makes the label stand here. */
  bind(label: Label): void {
    if (label.at !== undefined) throw new Error('the label is bound already');
    label.at = this.#size;
  }

  /** A new label that stands here. */
  here(): Label {
    const label = new Label();
    this.bind(label);
    return label;
  }

  jmp(label: Label): void {
    this.#branch([0xeb], [0xe9], label);
  }

  /** Jumps where the condition holds. */
  j(condition: Condition, label: Label): void {
    const code = CONDITIONS[condition];
    this.#branch([0x70 + code], [0x0f, 0x80 + code], label);
  }

  call(label: Label): void {
    this.#append({ bytes: [0xe8, 0, 0, 0, 0], fixup: { at: 1, label, addend: 0 } });
  }

  /** Fills up to a multiple of `bytes`. */
  align(bytes: number): void {
    while (this.#size % bytes) this.#put([NOP]);
  }

  /** Memory that holds these bytes; equal ones share a place. */
  constant(bytes: Uint8Array): Memory {
    const key = hexOf(bytes);
    const known = this.#constants.get(key);
    if (known) return memOf(known.label);
    const label = new Label();
    this.#constants.set(key, { label, bytes: bytes.slice() });
    return memOf(label);
  }

  /** The code with its constants. Nothing can be appended behind it. @throws Error: a label is bound nowhere. */
  finish(): Uint8Array {
    for (const { label, bytes } of this.#constants.values()) {
      this.align(CONSTANT_ALIGNMENT);
      this.bind(label);
      this.#put(bytes);
    }
    this.#constants.clear();
    const code = this.#bytes.slice(0, this.#size);
    const view = new DataView(code.buffer);
    for (const { at, end, label, addend } of this.#fixups) {
      if (label.at === undefined) throw new Error('a label is referred to and bound nowhere');
      view.setInt32(at, label.at - end + addend, true);
    }
    return code;
  }

  #instructions(): Instructions {
    const general = Object.entries(GENERAL).map(([name, encode]) => [
      name,
      (...operands: never[]) => this.#append((encode as (...all: never[]) => Encoded)(...operands)),
    ]);
    const vector = [...VECTOR_FORMS].map(([name, form]) => [
      name,
      (...operands: Operand[]) =>
        this.#append(encodeVector(name, form, operands, this.#preferEvex.has(name))),
    ]);
    return Object.fromEntries([...general, ...vector]) as Instructions;
  }

  /** Short where the label is bound and near, else with 32 bits. */
  #branch(short: readonly number[], long: readonly number[], label: Label): void {
    const distance = label.at === undefined ? Number.NaN : label.at - (this.#size + 2);
    if (distance >= -128) this.#put([...short, distance & 255]);
    else this.#append({ bytes: [...long, 0, 0, 0, 0], fixup: { at: long.length, label, addend: 0 } });
  }

  #append({ bytes, fixup }: Encoded): void {
    const start = this.#size;
    this.#put(bytes);
    if (!fixup) return;
    const end = fixup.at + 4 + start;
    this.#fixups.push({ at: start + fixup.at, end, label: fixup.label, addend: fixup.addend });
  }

  #put(bytes: ArrayLike<number>): void {
    if (this.#size + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length + bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
