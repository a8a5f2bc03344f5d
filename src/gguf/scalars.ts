/** The scalar types of metadata as a table: width, how to read, how to check and write. */
import { type Scalar, type ScalarType, VALUE_TYPES, type ValueType } from './types.ts';

export type FixedType = Exclude<ScalarType, 'string'>;

interface FixedScalar {
  /** Bytes in the file. */
  readonly width: number;
  /** Undefined: the bytes are no value of the type. */
  readonly read: (view: DataView, at: number, little: boolean) => Scalar | undefined;
  /** Little-endian. False: the value is not one of the type, nothing was written. */
  readonly write: (view: DataView, at: number, value: Scalar) => boolean;
}

type Setter = (view: DataView, at: number, value: number) => void;

function integer(
  width: number,
  low: number,
  high: number,
  read: FixedScalar['read'],
  set: Setter,
): FixedScalar {
  return {
    width,
    read,
    write: (view, at, value) => {
      if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) return false;
      set(view, at, value);
      return true;
    },
  };
}

function long(low: bigint, high: bigint, read: FixedScalar['read']): FixedScalar {
  return {
    width: 8,
    read,
    write: (view, at, value) => {
      if (typeof value !== 'bigint' || value < low || value > high) return false;
      view.setBigUint64(at, BigInt.asUintN(64, value), true);
      return true;
    },
  };
}

function float(width: number, read: FixedScalar['read'], set: Setter): FixedScalar {
  return {
    width,
    read,
    write: (view, at, value) => {
      if (typeof value !== 'number') return false;
      set(view, at, value);
      return true;
    },
  };
}

const BOOLS: readonly (boolean | undefined)[] = [false, true];

export const FIXED: Readonly<Record<FixedType, FixedScalar>> = {
  u8: integer(
    1,
    0,
    255,
    (view, at) => view.getUint8(at),
    (view, at, value) => view.setUint8(at, value),
  ),
  i8: integer(
    1,
    -128,
    127,
    (view, at) => view.getInt8(at),
    (view, at, value) => view.setInt8(at, value),
  ),
  u16: integer(
    2,
    0,
    65_535,
    (view, at, little) => view.getUint16(at, little),
    (view, at, value) => view.setUint16(at, value, true),
  ),
  i16: integer(
    2,
    -32_768,
    32_767,
    (view, at, little) => view.getInt16(at, little),
    (view, at, value) => view.setInt16(at, value, true),
  ),
  u32: integer(
    4,
    0,
    2 ** 32 - 1,
    (view, at, little) => view.getUint32(at, little),
    (view, at, value) => view.setUint32(at, value, true),
  ),
  i32: integer(
    4,
    -(2 ** 31),
    2 ** 31 - 1,
    (view, at, little) => view.getInt32(at, little),
    (view, at, value) => view.setInt32(at, value, true),
  ),
  f32: float(
    4,
    (view, at, little) => view.getFloat32(at, little),
    (view, at, value) => view.setFloat32(at, value, true),
  ),
  bool: {
    width: 1,
    read: (view, at) => BOOLS[view.getUint8(at)],
    write: (view, at, value) => {
      if (typeof value !== 'boolean') return false;
      view.setUint8(at, value ? 1 : 0);
      return true;
    },
  },
  u64: long(0n, 2n ** 64n - 1n, (view, at, little) => view.getBigUint64(at, little)),
  i64: long(-(2n ** 63n), 2n ** 63n - 1n, (view, at, little) => view.getBigInt64(at, little)),
  f64: float(
    8,
    (view, at, little) => view.getFloat64(at, little),
    (view, at, value) => view.setFloat64(at, value, true),
  ),
};

const TYPES_BY_ID = new Map<number, ValueType>(
  Object.entries(VALUE_TYPES).map(([type, id]) => [id, type as ValueType]),
);

/** The value type of a number in the file; undefined if there is none. */
export function valueTypeById(id: number): ValueType | undefined {
  return TYPES_BY_ID.get(id);
}

/** Fewest bytes that one element of an array can take: strings and arrays start with counts. */
export function leastBytes(type: ValueType): number {
  if (type === 'string') return 8;
  if (type === 'array') return 12;
  return FIXED[type].width;
}
