/** Formats that store each weight by itself: IEEE floats and plain integers. */
import { f16ToF32, f32ToBf16, f32ToF16 } from '../../core/index.ts';
import { perBlock, type RowEncoder, type TensorFormat, viewOf } from '../format.ts';

/** An encoder that stores weight i with `store`. */
function perWeight(store: (view: DataView, index: number, value: number) => void): RowEncoder {
  return (src, dst) => {
    const view = viewOf(dst);
    for (let i = 0; i < src.length; i++) store(view, i, src[i]);
  };
}

export const F32: TensorFormat = {
  name: 'F32',
  id: 0,
  blockSize: 1,
  blockBytes: 4,
  kind: 'float',
  layout: 'IEEE binary32',
  decode: perBlock(4, 1, (view, at, dst, out) => {
    dst[out] = view.getFloat32(at, true);
  }),
  encode: perWeight((view, i, value) => view.setFloat32(4 * i, value, true)),
};

export const F16: TensorFormat = {
  name: 'F16',
  id: 1,
  blockSize: 1,
  blockBytes: 2,
  kind: 'float',
  kernel: 'f16',
  layout: 'IEEE binary16',
  decode: perBlock(2, 1, (view, at, dst, out) => {
    dst[out] = f16ToF32(view.getUint16(at, true));
  }),
  encode: perWeight((view, i, value) => view.setUint16(2 * i, f32ToF16(value), true)),
};

export const BF16: TensorFormat = {
  name: 'BF16',
  id: 30,
  blockSize: 1,
  blockBytes: 2,
  kind: 'float',
  kernel: 'bf16',
  layout: 'bfloat16: the upper half of an IEEE binary32',
  decode: (src, dst) => {
    const view = viewOf(src);
    const bits = new Uint32Array(dst.buffer, dst.byteOffset, dst.length);
    for (let i = 0; i < dst.length; i++) bits[i] = view.getUint16(2 * i, true) << 16;
  },
  encode: perWeight((view, i, value) => view.setUint16(2 * i, f32ToBf16(value), true)),
};

export const F64: TensorFormat = {
  name: 'F64',
  id: 28,
  blockSize: 1,
  blockBytes: 8,
  kind: 'float',
  layout: 'IEEE binary64; decoded to the nearest f32',
  decode: perBlock(8, 1, (view, at, dst, out) => {
    dst[out] = view.getFloat64(at, true);
  }),
  encode: perWeight((view, i, value) => view.setFloat64(8 * i, value, true)),
};

/** A two's-complement integer format of `bytes` bytes; encoding rounds and clamps. */
function integer(name: string, id: number, bytes: 1 | 2 | 4 | 8): TensorFormat {
  const limit = 2n ** BigInt(8 * bytes - 1);
  const read = {
    1: (view: DataView, at: number) => view.getInt8(at),
    2: (view: DataView, at: number) => view.getInt16(at, true),
    4: (view: DataView, at: number) => view.getInt32(at, true),
    8: (view: DataView, at: number) => Number(view.getBigInt64(at, true)),
  }[bytes];
  const clamp = (value: number): bigint => {
    if (Number.isNaN(value)) return 0n;
    if (value >= Number(limit)) return limit - 1n;
    return value < -Number(limit) ? -limit : BigInt(Math.round(value));
  };
  const write = {
    1: (view: DataView, at: number, value: bigint) => view.setInt8(at, Number(value)),
    2: (view: DataView, at: number, value: bigint) => view.setInt16(at, Number(value), true),
    4: (view: DataView, at: number, value: bigint) => view.setInt32(at, Number(value), true),
    8: (view: DataView, at: number, value: bigint) => view.setBigInt64(at, value, true),
  }[bytes];
  return {
    name,
    id,
    blockSize: 1,
    blockBytes: bytes,
    kind: 'integer',
    layout: `two's complement, ${8 * bytes} bits`,
    decode: perBlock(bytes, 1, (view, at, dst, out) => {
      dst[out] = read(view, at);
    }),
    encode: perWeight((view, i, value) => write(view, bytes * i, clamp(value))),
  };
}

export const I8 = integer('I8', 24, 1);
export const I16 = integer('I16', 25, 2);
export const I32 = integer('I32', 26, 4);
export const I64 = integer('I64', 27, 8);
