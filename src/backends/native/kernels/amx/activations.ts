/** Activations for products with tiles: f32 rows to bf16 terms, 16 tokens side by side (`TileLayout`). */
import { defineKernel, type KernelBuilder, type KernelSource } from '../../kernel.ts';
import { type Gpr, type Label, mem, type Vec, xmm, zeroing } from '../../x64/index.ts';
import { type StepMasks, setStepMasks, stepMasks } from './columns.ts';
import { PAIR, STEP, TILE_BYTES, TILE_TOKENS } from './shape.ts';
import { splitTerms } from './terms.ts';
import { transpose16 } from './transpose.ts';

/** `x` [tokens][cols], `xStride` bytes from token to token; `tiles` is where a `TileLayout` begins. */
export const TILE_ACTIVATION_ARGS = ['x', 'xStride', 'tokens', 'cols', 'tiles'] as const;
type Arg = (typeof TILE_ACTIVATION_ARGS)[number];
type Builder = KernelBuilder<Arg>;

/** Steps of a piece of a thread's work. */
const PIECE = 8;

/** Bytes of scratch: a tile's rows before they become columns, one tile a term. */
export const tileActivationsScratch = (terms: number): number => terms * TILE_BYTES;

/** Kernels by the number of terms. Infinities give NaN with more terms than one. */
export const TILE_ACTIVATIONS: Readonly<Record<1 | 2 | 3, KernelSource<Arg>>> = {
  1: tileActivations(1),
  2: tileActivations(2),
  3: tileActivations(3),
};

function tileActivations(terms: 1 | 2 | 3): KernelSource<Arg> {
  return defineKernel({
    name: `tile_activations_${terms}`,
    args: TILE_ACTIVATION_ARGS,
    emit: (k: Builder) => {
      k.free(k.thread, k.threads);
      const [next, done] = [k.label(), k.label()];
      k.bind(next);
      k.scope(() => piece(k, terms, done));
      k.jmp(next);
      k.bind(done);
    },
  });
}

/** Claims PIECE steps of 16 tokens, or goes to `done`. */
function piece(k: Builder, terms: number, done: Label): void {
  const { x } = k;
  const [group, first, steps] = ['group', 'first', 'steps'].map((name) => k.gpr(name));
  place(k, { group, first, steps }, done);
  const out = k.int('tiles');
  const left = k.int('cols');
  k.scope(() => {
    const bytes = k.gpr('bytes');
    x.imul(bytes, group, terms * TILE_BYTES);
    x.imul(bytes, steps);
    x.add(out, bytes);
    x.imul(bytes, first, terms * TILE_BYTES);
    x.add(out, bytes);
    x.sub(steps, first);
    x.mov(bytes, PIECE);
    x.cmp(steps, bytes);
    x.cmov('g', steps, bytes);
    x.imul(bytes, first, STEP);
    x.sub(left, bytes);
  });
  const row = k.int('x');
  const stride = k.int('xStride');
  const valid = k.int('tokens');
  x.shl(first, 7); // bytes of STEP columns
  x.add(row, first);
  x.shl(group, 4);
  x.sub(valid, group);
  x.imul(group, stride);
  x.add(row, group);
  clamp(k, valid, group);
  k.free(group, first);
  const masks = stepMasks(k);
  k.countdown(
    steps,
    () => {
      setStepMasks(k, masks, left);
      step(k, terms, { row, stride, valid }, masks);
      for (let t = 0; t < terms; t++) {
        const tile = t * TILE_BYTES;
        transpose16(
          k,
          (i) => mem(k.scratch, tile + 64 * i),
          (i) => mem(out, tile + 64 * i),
        );
      }
      x.add(out, terms * TILE_BYTES);
      x.add(row, 4 * STEP);
      x.sub(left, STEP);
    },
    true,
  );
  k.free(masks.all, masks.high, out, left, row, stride, valid, steps);
}

interface Place {
  /** Of 16 tokens. */
  readonly group: Gpr;
  /** First step of the piece. */
  readonly first: Gpr;
  /** Of all columns. */
  readonly steps: Gpr;
}

/** The next piece: quotient and remainder by f64s, which are exact here. */
function place(k: Builder, { group, first, steps }: Place, done: Label): void {
  const { x } = k;
  k.scope(() => {
    const [pieces, groups] = [k.gpr('pieces'), k.int('tokens')];
    const [n, by] = [k.registers.xmm('n'), k.registers.xmm('by')];
    x.vcvttsd2si(steps, k.arg('cols'));
    x.add(steps, STEP - 1);
    x.shr(steps, Math.log2(STEP));
    x.lea(pieces, mem(steps, PIECE - 1));
    x.shr(pieces, Math.log2(PIECE));
    k.claim(first);
    k.zero(n, by);
    x.vcvtsi2sd(n, n, first);
    x.vcvtsi2sd(by, by, pieces);
    x.vdivsd(n, n, by);
    x.vcvttsd2si(group, n);
    x.imul(pieces, group);
    x.sub(first, pieces);
    x.imul(first, first, PIECE);
    x.add(groups, PAIR * TILE_TOKENS - 1);
    x.shr(groups, Math.log2(PAIR * TILE_TOKENS));
    x.shl(groups, 1);
    x.cmp(group, groups);
  });
  k.j('ge', done);
}

/** `value` to what is nearest from 0 to 16. */
function clamp(k: Builder, value: Gpr, other: Gpr): void {
  k.x.xor(other, other);
  k.x.cmp(value, other);
  k.x.cmov('l', value, other);
  k.x.mov(other, TILE_TOKENS);
  k.x.cmp(value, other);
  k.x.cmov('g', value, other);
}

/** 32 columns of 16 tokens to the scratch, row by row. */
function step(
  k: Builder,
  terms: number,
  { row, stride, valid }: { readonly row: Gpr; readonly stride: Gpr; readonly valid: Gpr },
  { all, high }: StepMasks,
): void {
  const { x } = k;
  k.scope(() => {
    const [from, to, count] = ['from', 'to', 'count'].map((name) => k.gpr(name));
    const [low, upper]: Vec[] = k.vecs('x', 2);
    x.mov(from, row);
    x.mov(to, k.scratch);
    x.mov(count, valid);
    k.countdown(count, () => {
      x.vmovups(zeroing(low, all), mem(from));
      x.vmovups(zeroing(upper, high), mem(from, 64));
      splitTerms(k, [low, upper], terms, (t, packed) => {
        x.vmovups_store(mem(to, t * TILE_BYTES), packed);
      });
      x.add(from, stride);
      x.add(to, 64);
    });
    x.mov(count, TILE_TOKENS);
    x.sub(count, valid);
    k.zero(xmm(low));
    k.countdown(count, () => {
      for (let t = 0; t < terms; t++) x.vmovups_store(mem(to, t * TILE_BYTES), low);
      x.add(to, 64);
    });
  });
}
