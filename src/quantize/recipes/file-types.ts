/** The file types: what a whole GGUF is called by its mixture of tensor formats. Adding one = one row. */
import { usageError } from '../../core/index.ts';
import type { FormatName } from '../../quants/index.ts';

export type FileTypeGroup = 'k' | 'iq' | 'legacy' | 'float' | 'special';

interface FileTypeRow {
  /** `general.file_type`, llama.cpp's LLAMA_FTYPE number. */
  readonly id: number;
  /** The format of every tensor that no rule names. */
  readonly format: FormatName;
  readonly group: FileTypeGroup;
  readonly description: string;
}

/** From large to small within each group. */
export const FILE_TYPES = {
  Q6_K: { id: 18, format: 'Q6_K', group: 'k', description: '6.6 bits; next to lossless' },
  Q5_K_M: { id: 17, format: 'Q5_K', group: 'k', description: '5.7 bits; half of the sensitive tensors Q6_K' },
  Q5_K_S: { id: 16, format: 'Q5_K', group: 'k', description: '5.5 bits' },
  Q4_K_M: { id: 15, format: 'Q4_K', group: 'k', description: '4.9 bits; the usual choice' },
  Q4_K_S: { id: 14, format: 'Q4_K', group: 'k', description: '4.6 bits' },
  Q3_K_L: { id: 13, format: 'Q3_K', group: 'k', description: '4.3 bits; sensitive tensors Q5_K' },
  Q3_K_M: { id: 12, format: 'Q3_K', group: 'k', description: '3.9 bits; sensitive tensors Q4_K' },
  Q3_K_S: { id: 11, format: 'Q3_K', group: 'k', description: '3.5 bits' },
  Q2_K: { id: 10, format: 'Q2_K', group: 'k', description: '3.2 bits; sensitive tensors Q3_K' },
  Q2_K_S: { id: 21, format: 'Q2_K', group: 'k', description: '2.8 bits; needs an importance matrix' },
  IQ4_NL: { id: 25, format: 'IQ4_NL', group: 'iq', description: '4.6 bits, blocks of 32' },
  IQ4_XS: { id: 30, format: 'IQ4_XS', group: 'iq', description: '4.3 bits' },
  IQ3_M: { id: 27, format: 'IQ3_S', group: 'iq', description: '3.8 bits; sensitive tensors Q4_K' },
  IQ3_S: { id: 26, format: 'IQ3_S', group: 'iq', description: '3.5 bits' },
  IQ3_XS: { id: 22, format: 'IQ3_S', group: 'iq', description: '3.4 bits; the middle layers IQ3_XXS' },
  IQ3_XXS: { id: 23, format: 'IQ3_XXS', group: 'iq', description: '3.2 bits' },
  IQ2_M: { id: 29, format: 'IQ2_S', group: 'iq', description: '2.9 bits; sensitive tensors IQ3_S' },
  IQ2_S: { id: 28, format: 'IQ2_XS', group: 'iq', description: '2.7 bits; sensitive tensors IQ3_S' },
  IQ2_XS: { id: 20, format: 'IQ2_XS', group: 'iq', description: '2.5 bits' },
  IQ2_XXS: { id: 19, format: 'IQ2_XXS', group: 'iq', description: '2.3 bits' },
  IQ1_M: { id: 31, format: 'IQ1_M', group: 'iq', description: '2.1 bits' },
  IQ1_S: { id: 24, format: 'IQ1_S', group: 'iq', description: '2.0 bits' },
  Q8_0: { id: 7, format: 'Q8_0', group: 'legacy', description: '8.5 bits; lossless for practical purposes' },
  Q5_1: { id: 9, format: 'Q5_1', group: 'legacy', description: '6 bits, blocks of 32 with a minimum' },
  Q5_0: { id: 8, format: 'Q5_0', group: 'legacy', description: '5.5 bits, blocks of 32' },
  Q4_1: { id: 3, format: 'Q4_1', group: 'legacy', description: '5 bits, blocks of 32 with a minimum' },
  Q4_0: { id: 2, format: 'Q4_0', group: 'legacy', description: '4.5 bits, blocks of 32' },
  F32: { id: 0, format: 'F32', group: 'float', description: '32 bits' },
  F16: { id: 1, format: 'F16', group: 'float', description: '16 bits' },
  BF16: { id: 32, format: 'BF16', group: 'float', description: '16 bits, the range of F32' },
  TQ2_0: { id: 37, format: 'TQ2_0', group: 'special', description: '2.1 bits, for ternary models' },
  TQ1_0: { id: 36, format: 'TQ1_0', group: 'special', description: '1.7 bits, for ternary models' },
  MXFP4_MOE: { id: 38, format: 'MXFP4', group: 'special', description: 'experts MXFP4, the rest Q8_0' },
  Q2_0: { id: 41, format: 'Q2_0', group: 'special', description: '2.25 bits, for models trained to it' },
  Q1_0: { id: 40, format: 'Q1_0', group: 'special', description: '1.1 bits, for models trained to it' },
} as const satisfies Record<string, FileTypeRow>;

export type FileTypeName = keyof typeof FILE_TYPES;

/** Every file type, in the order of the table. */
export const FILE_TYPE_NAMES = Object.keys(FILE_TYPES) as FileTypeName[];

/** Other names that people use. */
const ALIASES: Readonly<Record<string, FileTypeName>> = {
  Q3_K: 'Q3_K_M',
  Q4_K: 'Q4_K_M',
  Q5_K: 'Q5_K_M',
  MXFP4: 'MXFP4_MOE',
};

function ofGroups(...groups: FileTypeGroup[]): FileTypeName[] {
  return FILE_TYPE_NAMES.filter((name) => groups.includes(FILE_TYPES[name].group));
}

/** Words that stand for several file types. */
const GROUPS: Readonly<Record<string, readonly FileTypeName[]>> = {
  all: ofGroups('legacy', 'k', 'iq'),
  k: ofGroups('k'),
  iq: ofGroups('iq'),
};

/** The file type of a name in any case, or of an alias. */
export function fileTypeByName(name: string): FileTypeName | undefined {
  const upper = name.toUpperCase();
  if (Object.hasOwn(FILE_TYPES, upper)) return upper as FileTypeName;
  return Object.hasOwn(ALIASES, upper) ? ALIASES[upper] : undefined;
}

/**
 * `Q4_K_M,iq` -> names, each once, in the order given.
 * @param own names of the user's own recipes, matched exactly. @throws usage error: an unknown name, or none.
 */
export function parseFileTypes<Own extends string>(
  text: string,
  own: readonly Own[] = [],
): (FileTypeName | Own)[] {
  const found = new Set<FileTypeName | Own>();
  for (const word of text.split(',').map((part) => part.trim())) {
    if (word === '') continue;
    const mine = own.find((name) => name === word);
    const group = GROUPS[word.toLowerCase()];
    const named = fileTypeByName(word);
    if (mine !== undefined) found.add(mine);
    else if (Object.hasOwn(GROUPS, word.toLowerCase())) for (const name of group) found.add(name);
    else if (named) found.add(named);
    else {
      throw usageError(
        `unknown file type "${word}"`,
        `known: ${[...FILE_TYPE_NAMES, ...own].join(', ')}; groups: ${Object.keys(GROUPS).join(', ')}`,
      );
    }
  }
  if (found.size === 0) throw usageError('no file type named', 'for example --types Q4_K_M,IQ4_XS');
  return [...found];
}
