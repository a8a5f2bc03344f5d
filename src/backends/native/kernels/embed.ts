/** Rows of the token embedding as f32: one kernel a float format, one a format of blocks, made from its unpack member. */
import { defineKernel, type KernelBuilder, type KernelSource } from '../kernel.ts';
import type { Header, Kept, Unpack } from '../unpack/unpack.ts';
import { type Gpr, mem, rsp, type Vec, xmm, ymm } from '../x64/index.ts';
import { type Columns, eachColumns, lowerHalf } from './columns.ts';
import { checkIndexArg, eachRow, spare } from './work.ts';

const ARGS = [
  'tokens',
  'tokensStride',
  'weight',
  'rowBytes',
  'out',
  'outStride',
  'rows',
  'cols',
  'limit',
] as const;

/** Emits `body` for each token: where its row of the weight begins, and where it goes to. */
function eachToken(k: KernelBuilder, body: (source: Gpr, out: Gpr) => void): void {
  eachRow(k, ['tokens', 'out'], ([token, out], next) => {
    k.x.load32(token, mem(token));
    checkIndexArg(k, token, 'limit', next);
    const { weight, rowBytes } = k.ints('weight', 'rowBytes');
    k.x.imul(token, rowBytes);
    k.x.add(token, weight);
    k.free(weight, rowBytes);
    body(token, out);
  });
}

type FloatLoad = (k: KernelBuilder, part: Columns, target: Vec, base: Gpr) => void;

function loadHalves(convert: 'vcvtph2ps' | 'vpmovzxwd'): FloatLoad {
  return (k, part, target, base) => {
    part.load(lowerHalf(k, target), base, 2);
    k.x[convert](target, lowerHalf(k, target));
    if (convert === 'vpmovzxwd') k.x.vpslld(target, target, 16);
  };
}

/** How f32, f16 and bf16 become f32. */
const FLOATS = {
  embed_f32: (_, part, target, base) => part.load(target, base),
  embed_f16: loadHalves('vcvtph2ps'),
  embed_bf16: loadHalves('vpmovzxwd'),
} as const satisfies Record<string, FloatLoad>;

/** out[t] = weight[tokens[t]]; tokens i32, weight [limit, cols]. A token that is not below `limit` is reported and left out. */
function floatKernel(name: string, load: FloatLoad): KernelSource {
  return defineKernel({
    name,
    args: ARGS,
    emit: (k) => {
      spare(k);
      eachToken(k, (source, out) => {
        const at = k.gpr('at');
        k.clear(at);
        const count = k.int('cols');
        const value = k.vec('value');
        eachColumns(k, at, count, ([part]) => {
          load(k, part, value, source);
          part.store(out, value);
        });
        k.free(at, count, value);
      });
    },
  });
}

/** Bytes on the stack: codes of one step, 16 f32 factors of the codes, 16 f32 to take off. */
const CODES = 0;
const FACTORS = 64;
const LESS = 128;
const FRAME = 192;

/** Scales of a block, or its mins, times `factor` to the stack. */
function putProducts(k: KernelBuilder, scales: Register16, factor: Vec, place: number): void {
  const product = k.vec('product');
  for (let at = 0; at < 16; at += k.lanes) {
    if (k.level.avx512) k.x.vpmovsxwd(product, scales);
    else if (at === 0) k.x.vpmovsxwd(product, xmm(scales));
    else {
      k.x.vextracti128(xmm(product), scales, 1);
      k.x.vpmovsxwd(product, xmm(product));
    }
    k.x.vcvtdq2ps(product, product);
    k.x.vmulps(product, product, factor);
    k.x.vmovups_store(mem(rsp, place + 4 * at), product);
  }
  k.free(product);
}

type Register16 = NonNullable<Header['scales']>;

/** The header's products to the stack, one for 16 weights; gives its registers back. */
function putHeader(k: KernelBuilder, { d, dmin, scales, mins }: Header): void {
  const factor = k.vec('factor');
  for (const [one, integers, place] of [
    [d, scales, FACTORS],
    [dmin, mins, LESS],
  ] as const) {
    if (!one) continue;
    k.x.vbroadcastss(factor, one);
    if (integers) putProducts(k, integers, factor, place);
    else for (let at = 0; at < 64; at += k.level.bytes) k.x.vmovups_store(mem(rsp, place + at), factor);
    k.free(one, ...(integers ? [integers] : []));
  }
  k.free(factor);
}

/** Codes on the stack to f32 in the output. @param first number of the first weight in the block. */
function putWeights(
  k: KernelBuilder,
  { offset, mins }: Unpack,
  out: Gpr,
  first: number,
  count: number,
): void {
  const [value, factor] = k.vecs('value', 2);
  for (let i = 0; i < count; i += k.lanes) {
    const group = Math.floor((first + i) / 16) % 16;
    k.x.vpmovzxbd(value, mem(rsp, CODES + i));
    if (offset) k.x.vpsubd(value, value, k.i32(offset));
    k.x.vcvtdq2ps(value, value);
    k.x.vbroadcastss(factor, mem(rsp, FACTORS + 4 * group));
    k.x.vmulps(value, value, factor);
    if (mins) {
      k.x.vbroadcastss(factor, mem(rsp, LESS + 4 * group));
      k.x.vsubps(value, value, factor);
    }
    k.x.vmovups_store(mem(out, 4 * (first + i)), value);
  }
  k.free(value, factor);
}

/** One block to f32. */
function putBlock<K extends Kept>(k: KernelBuilder, unpack: Unpack<K>, block: Gpr, out: Gpr, kept: K): void {
  putHeader(k, unpack.header(k, block, kept));
  k.scope(() => {
    const shared = unpack.share?.(k, block, kept) ?? {};
    const wide = k.level.avx512 && unpack.block === 256;
    const codes = k.vec('codes');
    const target = wide ? codes : ymm(codes);
    for (let i = 0; i * target.bytes < unpack.block; i++) {
      unpack.codes(k, block, i, target, kept, shared);
      k.x.vmovups_store(mem(rsp, CODES), target);
      putWeights(k, unpack, out, i * target.bytes, target.bytes);
    }
  });
}

/** `embed_<format>` for a format of blocks; `cols` is a multiple of the block. */
export function embedKernel<K extends Kept>(unpack: Unpack<K>): KernelSource {
  return defineKernel({
    name: `embed_${unpack.format.toLowerCase()}`,
    args: ARGS,
    emit: (k) => {
      spare(k);
      k.x.lea(rsp, mem(rsp, -FRAME));
      const kept = unpack.setup(k); // may keep an address below rsp
      eachToken(k, (block, out) => {
        const left = k.int('cols');
        k.while(left, 'g', 0, () => {
          putBlock(k, unpack, block, out, kept);
          k.x.add(block, unpack.blockBytes);
          k.x.add(out, 4 * unpack.block);
          k.x.sub(left, unpack.block);
        });
        k.free(left);
      });
      k.x.lea(rsp, mem(rsp, FRAME));
    },
  });
}

export const EMBED_KERNELS: readonly KernelSource[] = Object.entries(FLOATS).map(([name, load]) =>
  floatKernel(name, load),
);
