/** The registry of tensor formats: one line each. Adding a format = its file in formats/ and a line here. */
import { inputError } from '../core/index.ts';
import type { TensorFormat } from './format.ts';
import { IQ1_M } from './formats/iq1_m.ts';
import { IQ1_S } from './formats/iq1_s.ts';
import { IQ2_S } from './formats/iq2_s.ts';
import { IQ2_XS } from './formats/iq2_xs.ts';
import { IQ2_XXS } from './formats/iq2_xxs.ts';
import { IQ3_S } from './formats/iq3_s.ts';
import { IQ3_XXS } from './formats/iq3_xxs.ts';
import { IQ4_NL } from './formats/iq4_nl.ts';
import { IQ4_XS } from './formats/iq4_xs.ts';
import { MXFP4 } from './formats/mxfp4.ts';
import { NVFP4 } from './formats/nvfp4.ts';
import { BF16, F16, F32, F64, I8, I16, I32, I64 } from './formats/plain.ts';
import { Q1_0 } from './formats/q1_0.ts';
import { Q2_0 } from './formats/q2_0.ts';
import { Q2_K } from './formats/q2_k.ts';
import { Q3_K } from './formats/q3_k.ts';
import { Q4_0 } from './formats/q4_0.ts';
import { Q4_1 } from './formats/q4_1.ts';
import { Q4_K } from './formats/q4_k.ts';
import { Q5_0 } from './formats/q5_0.ts';
import { Q5_1 } from './formats/q5_1.ts';
import { Q5_K } from './formats/q5_k.ts';
import { Q6_K } from './formats/q6_k.ts';
import { Q8_0 } from './formats/q8_0.ts';
import { Q8_K } from './formats/q8_k.ts';
import { TQ1_0 } from './formats/tq1_0.ts';
import { TQ2_0 } from './formats/tq2_0.ts';

/** Every tensor format by its name. */
export const FORMATS = {
  F32,
  F16,
  BF16,
  F64,
  I8,
  I16,
  I32,
  I64,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q8_K,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  IQ1_S,
  IQ1_M,
  IQ2_XXS,
  IQ2_XS,
  IQ2_S,
  IQ3_XXS,
  IQ3_S,
  IQ4_NL,
  IQ4_XS,
  TQ1_0,
  TQ2_0,
  MXFP4,
  NVFP4,
  Q1_0,
  Q2_0,
} as const satisfies Record<string, TensorFormat>;

export type FormatName = keyof typeof FORMATS;

const byId = new Map<number, TensorFormat>(Object.values(FORMATS).map((format) => [format.id, format]));

/** Ids of formats that ggml has removed; files that carry them need a conversion with an old llama.cpp. */
const REMOVED: ReadonlyMap<number, string> = new Map([
  [4, 'Q4_2'],
  [5, 'Q4_3'],
  [31, 'Q4_0_4_4'],
  [32, 'Q4_0_4_8'],
  [33, 'Q4_0_8_8'],
  [36, 'IQ4_NL_4_4'],
  [37, 'IQ4_NL_4_8'],
  [38, 'IQ4_NL_8_8'],
]);

/**
 * The format with a ggml type id.
 * @param place what names the id, for the error message. @throws input error: unknown or removed id.
 */
export function formatById(id: number, place: string): TensorFormat {
  const format = byId.get(id);
  if (format) return format;
  const removed = REMOVED.get(id);
  if (removed) throw inputError(place, `type ${id} (${removed}) was removed from the GGUF format`);
  throw inputError(
    place,
    `unknown tensor type ${id}; known ids are ${[...byId.keys()].sort((a, b) => a - b).join(', ')}`,
  );
}

/** Name of a format in the registry, whence all formats come. */
export function formatName(format: TensorFormat): FormatName {
  return format.name as FormatName;
}

/** The format of that name in any case, e.g. `q4_k`; undefined if there is none. */
export function formatByName(name: string): TensorFormat | undefined {
  const upper = name.toUpperCase();
  return Object.hasOwn(FORMATS, upper) ? FORMATS[upper as FormatName] : undefined;
}
