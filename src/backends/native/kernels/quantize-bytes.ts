/**
 * f32 rows to i8 codes with scales, in one or two planes: the layout of activations.ts. A group with a NaN or an infinity
 * gets the scale NaN, so that every product with it is NaN; a group of zeros or of tiny values gets the scale 0.
 * Vectors of 256 bits at every level: the same steps give the same bytes everywhere.
 */
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import { type Gpr, type Memory, mem, memAt, type Register, rsp, xmm } from '../x64/index.ts';

export const QUANTIZE_ARGS = [
  'x',
  'xStride',
  'rows',
  'cols',
  'group',
  'planes',
  'codes',
  'codeStride',
  'sums',
  'sumStride',
  'scales',
  'scaleStride',
] as const;
type Arg = (typeof QUANTIZE_ARGS)[number];
type Builder = KernelBuilder<Arg>;
type Ymm = Register<'ymm'>;

/** Columns of a thread's piece of work: a multiple of every group. */
const PIECE = 256;
/** Rows, and pieces a row: below the stack pointer, since registers are scarce. */
const ROWS_AT = mem(rsp, -8);
const PIECES_AT = mem(rsp, -16);
/** Groups whose largest magnitude is below this become zeros: the reciprocal of the scale would overflow. */
const TINY = 1e-32;
/** Largest code of one plane, and of two: 127 * 128 + 63. */
const AMPLITUDE = { 1: 127, 2: 16319 } as const;
/** Bits of an f32 but its sign. */
const MAGNITUDE = 0x7fffffff;
/** vcmpps: less than; false for NaN. */
const LESS = 1;
/** Dwords of two vectors packed to bytes, back in order: packing works in halves of 128 bits. */
const UNPACKED = [0, 4, 1, 5, 2, 6, 3, 7];

const eight = (k: Builder, value: number): Memory =>
  k.constant(new Uint8Array(new Int32Array(8).fill(value).buffer));
const eightFloats = (k: Builder, value: number): Memory =>
  k.constant(new Uint8Array(new Float32Array(8).fill(value).buffer));

/** Where a group is read from and written to. The second plane lies `codesOn` and `sumsOn` bytes behind the first. */
interface Places {
  readonly from: Gpr;
  readonly codes: Gpr;
  readonly sums: Gpr;
  readonly scales: Gpr;
  readonly codesOn: Gpr;
  readonly sumsOn: Gpr;
  readonly count: Gpr;
}

/**
 * Row t of x, `cols` f32 with `cols` a multiple of `group` (256 or 32), to row t of each of `planes` planes.
 * Strides in bytes; a plane of codes has `rows * codeStride` bytes, sums and scales alike.
 */
export const quantizeBytes = defineKernel({
  name: 'quantize_bytes',
  args: QUANTIZE_ARGS,
  emit: (k: Builder) => {
    const one = k.label();
    const end = k.label();
    k.free(k.scratch, k.counter);
    const planes = k.int('planes');
    k.x.cmp(planes, 1);
    k.free(planes);
    k.j('e', one);
    k.scope(() => rows(k, 2));
    k.jmp(end);
    k.bind(one);
    k.scope(() => rows(k, 1));
    k.bind(end);
  },
});

/** Pieces of rows, one after the other to one thread after the other. */
function rows(k: Builder, planes: 1 | 2): void {
  const [row, piece] = [k.gpr('row'), k.gpr('piece')];
  k.x.vcvttsd2si(piece, k.arg('rows'));
  k.x.store64(ROWS_AT, piece);
  k.x.vcvttsd2si(piece, k.arg('cols'));
  k.x.add(piece, PIECE - 1);
  k.x.shr(piece, Math.log2(PIECE));
  k.x.store64(PIECES_AT, piece);
  k.clear(row);
  k.x.mov(piece, k.thread);
  const out = k.label();
  const top = k.here();
  k.while(piece, 'ge', PIECES_AT, () => {
    k.x.sub(piece, PIECES_AT);
    k.x.add(row, 1);
  });
  k.x.cmp(row, ROWS_AT);
  k.j('ge', out);
  k.scope(() => pieceOf(k, planes, row, piece));
  k.x.add(piece, k.threads);
  k.jmp(top);
  k.bind(out);
}

/** Address of a piece in a part whose rows are `stride` bytes and whose pieces are `bytes` apart. */
function place(k: Builder, base: Arg, stride: Arg, row: Gpr, piece: Gpr, bytes: number | Gpr): Gpr {
  const at = k.int(base);
  k.scope(() => {
    const step = k.int(stride);
    k.x.imul(step, row);
    k.x.add(at, step);
    if (typeof bytes === 'number') k.x.imul(step, piece, bytes);
    else {
      k.x.mov(step, piece);
      k.x.imul(step, bytes);
    }
    k.x.add(at, step);
  });
  return at;
}

function pieceOf(k: Builder, planes: 1 | 2, row: Gpr, piece: Gpr): void {
  const group = k.int('group');
  const count = k.gpr('count');
  // Bytes of a piece's scales: 4 with groups of 256, 32 with groups of 32.
  k.x.mov(count, 32);
  k.scope(() => {
    const four = k.gpr('four');
    k.x.mov(four, 4);
    k.x.cmp(group, 256);
    k.x.cmov('e', count, four);
  });
  const scales = place(k, 'scales', 'scaleStride', row, piece, count);
  const from = place(k, 'x', 'xStride', row, piece, 4 * PIECE);
  const codes = place(k, 'codes', 'codeStride', row, piece, PIECE);
  const sums = place(k, 'sums', 'sumStride', row, piece, PIECE / 8);
  const left = k.int('cols');
  k.x.imul(count, piece, PIECE);
  k.x.sub(left, count);
  k.x.mov(count, PIECE);
  k.x.cmp(left, PIECE);
  k.x.cmov('g', left, count);
  const [codesOn, sumsOn] = [planeBytes(k, 'codeStride'), planeBytes(k, 'sumStride')];
  k.while(left, 'g', 0, () => {
    oneGroup(k, planes, group, { from, codes, sums, scales, codesOn, sumsOn, count });
    k.x.add(scales, 4);
    k.x.sub(left, group);
  });
}

function planeBytes(k: Builder, stride: Arg): Gpr {
  const bytes = k.int(stride);
  k.x.imul(bytes, ROWS_AT);
  return bytes;
}

function oneGroup(k: Builder, planes: 1 | 2, group: Gpr, places: Places): void {
  const { from, codes, sums, count } = places;
  k.scope(() => {
    const inverse = k.registers.ymm('inverse');
    scaleOf(k, planes, group, inverse, places);
    k.x.mov(count, group);
    k.x.shr(count, 5);
    k.countdown(
      count,
      () => {
        const values = [0, 1, 2, 3].map((i) => k.registers.ymm(`value${i}`));
        values.forEach((value, i) => {
          k.x.vmulps(value, inverse, mem(from, 32 * i));
          k.x.vcvtps2dq(value, value);
        });
        if (planes === 1) writeCodes(k, values, mem(codes), mem(sums));
        else writeBoth(k, values, places);
        k.free(...values);
        k.x.add(from, 128);
        k.x.add(codes, 32);
        k.x.add(sums, 4);
      },
      true,
    );
  });
}

/** The largest magnitude of the group at `from` in all lanes; NaN if there is one, which is the largest as an integer. */
function largestOf(k: Builder, group: Gpr, { from, count }: Places): Ymm {
  const largest = k.registers.ymm('largest');
  k.scope(() => {
    const value = k.registers.ymm('value');
    k.zero(largest);
    k.x.mov(count, group);
    k.x.shl(count, 2);
    const top = k.here();
    for (const disp of [-32, -64, -96, -128]) {
      k.x.vmovups(value, memAt(from, count, 1, disp));
      k.x.vpand(value, value, eight(k, MAGNITUDE));
      k.x.vpmaxud(largest, largest, value);
    }
    k.x.sub(count, 128);
    k.j('ne', top);
    k.x.vperm2i128(value, largest, largest, 1);
    k.x.vpmaxud(largest, largest, value);
    for (const order of [0b01_00_11_10, 0b10_11_00_01]) {
      k.x.vpshufd(value, largest, order);
      k.x.vpmaxud(largest, largest, value);
    }
  });
  return largest;
}

/** Writes the group's scales, and what its values are multiplied with to `inverse`. */
function scaleOf(k: Builder, planes: 1 | 2, group: Gpr, inverse: Ymm, places: Places): void {
  k.scope(() => {
    const largest = largestOf(k, group, places);
    const tiny = k.registers.ymm('tiny');
    const scale = k.registers.ymm('scale');
    k.x.vcmpps(tiny, largest, eightFloats(k, TINY), LESS);
    k.x.vmovups(inverse, eightFloats(k, AMPLITUDE[planes]));
    k.x.vdivps(scale, largest, inverse);
    k.x.vdivps(inverse, inverse, largest);
    k.x.vandnps(inverse, tiny, inverse);
    k.x.vandnps(scale, tiny, scale);
    // Infinity less itself is NaN, all else 0.
    k.x.vsubps(largest, largest, largest);
    k.x.vaddps(scale, scale, largest);
    if (planes === 1) {
      k.x.vmovss_store(mem(places.scales), xmm(scale));
      return;
    }
    const second = planeBytes(k, 'scaleStride');
    k.x.vmovss_store(memAt(places.scales, second), xmm(scale));
    k.x.vmulps(scale, scale, eightFloats(k, 128));
    k.x.vmovss_store(mem(places.scales), xmm(scale));
  });
}

/** Four vectors of 8 i32 as 32 bytes at `codes`, the sums of the first and last 16 as i16 at `sums`. */
function writeCodes(k: Builder, values: readonly Ymm[], codes: Memory, sums: Memory): void {
  k.scope(() => {
    const [low, high] = [k.registers.ymm('low'), k.registers.ymm('high')];
    k.x.vpaddd(low, values[0], values[1]);
    k.x.vpaddd(high, values[2], values[3]);
    k.x.vphaddd(low, low, high);
    k.x.vphaddd(low, low, low);
    k.x.vextracti128(xmm(high), low, 1);
    k.x.vpaddd(xmm(low), xmm(low), xmm(high));
    k.x.vpackssdw(xmm(low), xmm(low), xmm(low));
    k.x.vmovd_store(sums, xmm(low));
    k.x.vpackssdw(low, values[0], values[1]);
    k.x.vpackssdw(high, values[2], values[3]);
    k.x.vpacksswb(low, low, high);
    k.x.vmovdqu(high, k.constant(new Uint8Array(Int32Array.from(UNPACKED).buffer)));
    k.x.vpermd(low, high, low);
    k.x.vmovdqu_store(codes, low);
  });
}

/** Codes of 15 bits: those divided by 128 and rounded to the first plane, the rest to the second. */
function writeBoth(k: Builder, values: readonly Ymm[], { codes, sums, codesOn, sumsOn }: Places): void {
  k.scope(() => {
    const uppers = values.map((_, i) => k.registers.ymm(`upper${i}`));
    const shifted = k.registers.ymm('shifted');
    values.forEach((value, i) => {
      k.x.vpaddd(uppers[i], value, eight(k, 64));
      k.x.vpsrad(uppers[i], uppers[i], 7);
      k.x.vpslld(shifted, uppers[i], 7);
      k.x.vpsubd(value, value, shifted);
    });
    k.free(shifted);
    writeCodes(k, uppers, mem(codes), mem(sums));
    writeCodes(k, values, memAt(codes, codesOn), memAt(sums, sumsOn));
  });
}
