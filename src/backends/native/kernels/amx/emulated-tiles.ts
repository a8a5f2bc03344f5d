/**
 * Tile instructions as subroutines of AVX-512 steps that do what the SDM (volume 2, at each instruction) says: shapes from
 * the configuration, zeros beyond them; bf16 products in f32, even and odd elements in sums of their own that are added at
 * the end, denormals as zeros. The tiles stand on the stack; a kernel that uses them keeps nothing of its own there.
 */
import type { KernelBuilder } from '../../kernel.ts';
import {
  type Gpr,
  type Label,
  type Mask,
  type Memory,
  mem,
  memAt,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
  type Tile,
  type Vec,
  zeroing,
} from '../../x64/index.ts';
import { type TileShape, type TileUnit, tileConfiguration } from './tiles.ts';

const TILE = 1024;
const ROW = 64;
/** Offsets of the configuration and of the kernel's rsp behind the tiles, and the bytes of all. */
const CONFIGURATION = 8 * TILE;
const STACK = CONFIGURATION + 64;
const FRAME = STACK + 64;
/** Rounding to nearest, no exceptions, denormals in and out are zeros. */
const CONTROL = 0x9fc0;
/** What a subroutine may destroy: it saves them. */
const SAVED = [rax, rcx, rdx, rbx, rsi, rdi];

/** Offsets from rsp inside a subroutine. */
interface Frame {
  readonly tiles: number;
  /** Of the two arguments, the later one first. */
  readonly stride: number;
  readonly address: number;
}

export class EmulatedTiles implements TileUnit {
  readonly #k: KernelBuilder;
  readonly #a: Vec;
  readonly #b: Vec;
  readonly #c: Vec;
  readonly #d: Vec;
  readonly #even: Vec;
  readonly #odd: Vec;
  readonly #mask: Mask;
  readonly #subroutines = new Map<string, { readonly label: Label; readonly emit: () => void }>();

  constructor(k: KernelBuilder) {
    this.#k = k;
    [this.#a, this.#b, this.#c, this.#d, this.#even, this.#odd] = k.vecs('tiles', 6);
    this.#mask = k.registers.mask('tiles');
  }

  begin(shapes: readonly TileShape[]): void {
    const { x } = this.#k;
    const old = this.#k.gpr('old');
    x.mov(old, rsp);
    x.lea(rsp, mem(rsp, -FRAME));
    x.and(rsp, -64);
    x.store64(mem(rsp, STACK), old);
    this.#k.free(old);
    x.vmovups(this.#a, this.#k.constant(tileConfiguration(shapes)));
    x.vmovups_store(mem(rsp, CONFIGURATION), this.#a);
    this.#k.zero(this.#a);
    for (let at = 0; at < CONFIGURATION; at += ROW) x.vmovups_store(mem(rsp, at), this.#a);
  }

  zero({ code }: Tile): void {
    this.#call(`zero ${code}`, (frame) => this.#clear(frame, code));
  }

  load({ code }: Tile, base: Gpr, disp: number, stride: Gpr): void {
    this.#withAddress(base, disp, stride, () =>
      this.#call(`load ${code}`, (frame) => this.#load(frame, code)),
    );
  }

  store({ code }: Tile, base: Gpr, disp: number, stride: Gpr): void {
    this.#withAddress(base, disp, stride, () =>
      this.#call(`store ${code}`, (frame) => this.#store(frame, code)),
    );
  }

  multiplyBf16(sum: Tile, a: Tile, b: Tile): void {
    const codes = [sum.code, a.code, b.code] as const;
    this.#call(`bf16 ${codes}`, (frame) => this.#multiplyBf16(frame, ...codes));
  }

  multiplyI8(sum: Tile, a: Tile, b: Tile): void {
    const codes = [sum.code, a.code, b.code] as const;
    this.#call(`i8 ${codes}`, (frame) => this.#multiplyI8(frame, ...codes));
  }

  /** The subroutines, too: the kernel goes on behind them. */
  end(): void {
    const { x } = this.#k;
    x.mov(rsp, mem(rsp, STACK));
    const behind = this.#k.label();
    this.#k.jmp(behind);
    for (const { label, emit } of this.#subroutines.values()) {
      this.#k.align(16);
      this.#k.bind(label);
      emit();
    }
    this.#k.bind(behind);
    this.#k.free(this.#a, this.#b, this.#c, this.#d, this.#even, this.#odd, this.#mask);
  }

  #withAddress(base: Gpr, disp: number, stride: Gpr, call: () => void): void {
    const { x } = this.#k;
    x.push(base);
    if (disp) x.add(mem(rsp), disp);
    x.push(stride);
    call();
    x.lea(rsp, mem(rsp, 16));
  }

  /** Calls the subroutine of this name, which the first call defines. */
  #call(name: string, body: (frame: Frame) => void): void {
    const known = this.#subroutines.get(name);
    const label = known?.label ?? this.#k.label();
    if (!known) this.#subroutines.set(name, { label, emit: () => this.#subroutine(name, body) });
    this.#k.call(label);
  }

  #subroutine(name: string, body: (frame: Frame) => void): void {
    const { x } = this.#k;
    for (const register of SAVED) x.push(register);
    const stride = 8 * (SAVED.length + 1); // above the saved registers and the return address
    const args = /^(load|store)/.test(name) ? 16 : 0;
    body({ stride, address: stride + 8, tiles: stride + args });
    for (const register of SAVED.toReversed()) x.pop(register);
    x.ret();
  }

  #rows(target: Gpr, { tiles }: Frame, tile: number): void {
    this.#k.x.load8(target, mem(rsp, tiles + CONFIGURATION + 48 + tile));
  }

  #columns(target: Gpr, { tiles }: Frame, tile: number): void {
    this.#k.x.load16(target, mem(rsp, tiles + CONFIGURATION + 16 + 2 * tile));
  }

  #clear({ tiles }: Frame, tile: number): void {
    this.#k.zero(this.#a);
    for (let row = 0; row < 16; row++) {
      this.#k.x.vmovups_store(mem(rsp, tiles + tile * TILE + row * ROW), this.#a);
    }
  }

  /** rax the address, rdx the tile, rcx its rows; the mask its bytes. */
  #transfer(frame: Frame, tile: number): void {
    const { x } = this.#k;
    this.#columns(rcx, frame, tile);
    x.mov(rdx, -1);
    x.bzhi(rdx, rdx, rcx);
    x.kmovq_from(this.#mask, rdx);
    this.#rows(rcx, frame, tile);
    x.mov(rax, mem(rsp, frame.address));
    x.lea(rdx, mem(rsp, frame.tiles + tile * TILE));
  }

  #load(frame: Frame, tile: number): void {
    const { x } = this.#k;
    this.#clear(frame, tile);
    this.#transfer(frame, tile);
    this.#k.countdown(
      rcx,
      () => {
        x.vmovdqu8(zeroing(this.#a, this.#mask), mem(rax));
        x.vmovups_store(mem(rdx), this.#a);
        x.add(rax, mem(rsp, frame.stride));
        x.add(rdx, ROW);
      },
      true,
    );
  }

  #store(frame: Frame, tile: number): void {
    const { x } = this.#k;
    this.#transfer(frame, tile);
    this.#k.countdown(
      rcx,
      () => {
        x.vmovups(this.#a, mem(rdx));
        x.vmovdqu8_store({ kind: 'masked', target: mem(rax), mask: this.#mask, zero: false }, this.#a);
        x.add(rax, mem(rsp, frame.stride));
        x.add(rdx, ROW);
      },
      true,
    );
  }

  /** `row` for each row of the sum, at rdx; inside it `element` for each dword of a's row, in `a`, and b's row at rsi. */
  #product(frame: Frame, codes: readonly [number, number, number], steps: Steps): void {
    const { x } = this.#k;
    const [sum, a, b] = codes.map((code) => mem(rsp, frame.tiles + code * TILE));
    this.#rows(rbx, frame, codes[0]);
    x.lea(rax, a);
    x.lea(rdx, sum);
    this.#columns(rcx, frame, codes[1]);
    x.shr(rcx, 2);
    this.#k.countdown(
      rbx,
      () => {
        steps.begin();
        x.lea(rsi, b);
        x.xor(rdi, rdi);
        this.#k.while(rdi, 'l', rcx, () => {
          x.vpbroadcastd(this.#a, memAt(rax, rdi, 4));
          steps.element(mem(rsi));
          x.add(rsi, ROW);
          x.add(rdi, 1);
        });
        steps.end(mem(rdx));
        x.add(rax, ROW);
        x.add(rdx, ROW);
      },
      true,
    );
  }

  #multiplyBf16(frame: Frame, ...codes: readonly [number, number, number]): void {
    const { x } = this.#k;
    const upper = this.#k.i32(-65536);
    const control = this.#k.constant(new Uint8Array(Int32Array.of(CONTROL).buffer));
    x.push(rax);
    x.vstmxcsr(mem(rsp));
    x.vldmxcsr(control);
    this.#product({ ...frame, tiles: frame.tiles + 8 }, codes, {
      begin: () => this.#k.zero(this.#even, this.#odd),
      element: (row) => {
        x.vmovups(this.#b, row);
        x.vpslld(this.#c, this.#a, 16);
        x.vpslld(this.#d, this.#b, 16);
        x.vfmadd231ps(this.#even, this.#c, this.#d);
        x.vpand(this.#a, this.#a, upper);
        x.vpand(this.#b, this.#b, upper);
        x.vfmadd231ps(this.#odd, this.#a, this.#b);
      },
      end: (row) => {
        x.vaddps(this.#even, this.#even, this.#odd);
        x.vaddps(this.#even, this.#even, row);
        x.vmovups_store(row, this.#even);
      },
    });
    x.vldmxcsr(mem(rsp));
    x.pop(rax);
  }

  #multiplyI8(frame: Frame, ...codes: readonly [number, number, number]): void {
    const { x } = this.#k;
    this.#product(frame, codes, {
      begin: () => this.#k.zero(this.#even),
      element: (row) => {
        for (const shift of [24, 16, 8, 0]) {
          x.vpslld(this.#c, this.#a, shift);
          x.vpslld(this.#d, row, shift);
          x.vpsrad(this.#c, this.#c, 24);
          x.vpsrad(this.#d, this.#d, 24);
          x.vpmulld(this.#c, this.#c, this.#d);
          x.vpaddd(this.#even, this.#even, this.#c);
        }
      },
      end: (row) => {
        x.vpaddd(this.#even, this.#even, row);
        x.vmovups_store(row, this.#even);
      },
    });
  }
}

/** What a product does at a row of the sum, and at each dword of a's row with the row of b that meets it. */
interface Steps {
  begin(): void;
  element(row: Memory): void;
  end(row: Memory): void;
}
