/** Values of options: sizes, counts, formats, patterns, metadata. All throw usage errors that name the option. */
import { usageError } from '../core/index.ts';
import type { GgufScalar, ScalarType } from '../gguf/index.ts';
import { namePattern } from '../quantize/index.ts';
import { FORMATS, type FormatName, formatByName, formatName } from '../quants/index.ts';

/** For options that may be repeated. */
export function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

/** Decimal for K, M, G, T (as split sizes are counted), binary for KiB, MiB, GiB, TiB. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** `2G`, `500M`, `1.5GiB` in bytes. */
export function parseBytes(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?$/i.exec(text);
  const unit = match?.[2]?.toLowerCase() ?? '';
  const bytes = match
    ? Math.floor(Number(match[1]) * (UNITS[unit.endsWith('i') ? `${unit}b` : unit] ?? 0))
    : 0;
  if (bytes < 1 || !Number.isSafeInteger(bytes)) {
    throw usageError(`${option} ${text}: is no size`, 'for example 2G, 500M (decimal) or 1GiB (binary)');
  }
  return bytes;
}

/** A whole number from 1 to 1024. */
export function parseCount(option: string, text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > 1024) throw usageError(`${option} ${text}: 1 to 1024 is allowed`);
  return count;
}

/** A whole number from `least` to `most`. */
export function parseWhole(option: string, text: string, least: number, most: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw usageError(`${option} ${text}: ${least} to ${most} is allowed`);
}

/** One of a few words. */
export function parseChoice<T extends string>(option: string, text: string, known: readonly T[]): T {
  const choice = known.find((one) => one === text.toLowerCase());
  if (!choice) throw usageError(`${option} ${text}: known are ${known.join(', ')}`);
  return choice;
}

/** A format that weights can have. */
export function parseFormat(option: string, text: string): FormatName {
  const format = formatByName(text);
  if (format && format.kind !== 'integer') return formatName(format);
  const known = Object.values(FORMATS).filter(({ kind }) => kind !== 'integer');
  throw usageError(
    `${option}: unknown format "${text}"`,
    `known: ${known.map(({ name }) => name).join(', ')}`,
  );
}

/** `attn_v=Q6_K`; the last `=` parts pattern from format. */
export function parseTensorType(text: string): { pattern: RegExp; format: FormatName } {
  const at = text.lastIndexOf('=');
  if (at < 1) throw usageError(`--tensor-type ${text}: expected PATTERN=TYPE`, "for example 'attn_v=Q6_K'");
  return {
    pattern: namePattern(text.slice(0, at)),
    format: parseFormat('--tensor-type', text.slice(at + 1)),
  };
}

const SPANS: Readonly<Record<string, readonly [number, number]>> = {
  u8: [0, 255],
  i8: [-128, 127],
  u16: [0, 65535],
  i16: [-32768, 32767],
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
};

/** Other names of types, as llama.cpp's tool has them. */
const TYPE_NAMES: Readonly<Record<string, ScalarType>> = { str: 'string', float: 'f32' };

function scalar(type: string, value: string): GgufScalar | undefined {
  if (type === 'int') return scalar(value.startsWith('-') ? 'i32' : 'u32', value);
  const name = Object.hasOwn(TYPE_NAMES, type) ? TYPE_NAMES[type] : type;
  if (name === 'string') return { type: 'string', value };
  if (name === 'bool')
    return value === 'true' || value === 'false' ? { type: 'bool', value: value === 'true' } : undefined;
  if (name === 'f32' || name === 'f64') {
    const number = Number(value);
    return value.trim() !== '' && Number.isFinite(number) ? { type: name, value: number } : undefined;
  }
  if (!/^-?\d{1,20}$/.test(value)) return undefined;
  if (name === 'u64' || name === 'i64') {
    const number = BigInt(value);
    const fits = name === 'u64' ? BigInt.asUintN(64, number) : BigInt.asIntN(64, number);
    return fits === number ? { type: name, value: number } : undefined;
  }
  const span = Object.hasOwn(SPANS, name) ? SPANS[name] : undefined;
  const number = Number(value);
  return span && number >= span[0] && number <= span[1]
    ? { type: name as ScalarType, value: number }
    : undefined;
}

/** `general.name=str:x` and the like. */
export function parseOverrides(texts: readonly string[]): Map<string, GgufScalar> {
  const overrides = new Map<string, GgufScalar>();
  for (const text of texts) {
    const match = /^([^=]+)=([a-z0-9]+):(.*)$/s.exec(text);
    const value = match ? scalar(match[2], match[3]) : undefined;
    if (!match || !value) {
      throw usageError(
        `--override-kv ${text}: expected KEY=TYPE:VALUE`,
        'types are int, float, bool, str, and u8 i8 u16 i16 u32 i32 u64 i64 f32 f64',
      );
    }
    overrides.set(match[1], value);
  }
  return overrides;
}
