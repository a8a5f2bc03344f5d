/** The metadata of a quantized file: the model's own, and how it was made. */
import { type GgufFile, type GgufValue, type Metadata, str, u32, withoutSplitKeys } from '../gguf/index.ts';
import { QUANTIZATION_VERSION } from '../quants/index.ts';
import { fileTypeId } from './formats.ts';
import { type Mixture, mixtureName, type QuantizeOptions } from './options.ts';

/** Longest string that llama.cpp keeps in these keys, in bytes. */
const LONGEST = 127;

/** The last part of a path of any system: local folders are nobody else's business. */
export function baseName(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? path;
}

/** Where the importance came from, in llama.cpp's keys. */
function importanceKeys({ imatrix }: QuantizeOptions): [string, GgufValue][] {
  if (!imatrix) return [];
  const [dataset] = imatrix.datasets;
  return [
    ['quantize.imatrix.file', str(baseName(imatrix.name).slice(0, LONGEST))],
    ...(dataset === undefined
      ? []
      : [['quantize.imatrix.dataset', str(baseName(dataset).slice(0, LONGEST))] as [string, GgufValue]]),
    ['quantize.imatrix.entries_count', u32(imatrix.entries.size)],
    ['quantize.imatrix.chunks_count', u32(imatrix.chunkCount)],
  ];
}

function recipesName(mixture: Mixture, { recipes, pure }: QuantizeOptions): string {
  const own =
    typeof mixture === 'string'
      ? ''
      : `${mixtureName(mixture)}${mixture.base ? ` on ${mixture.base} of ` : ''}`;
  if (own && typeof mixture !== 'string' && !mixture.base) return own;
  return `${own}${recipes.name}${pure ? ', pure' : ''}`;
}

/** Metadata of an output in one piece. Keys that are set anew move to the end, as llama.cpp has it. */
export function outputMetadata(model: GgufFile, mixture: Mixture, options: QuantizeOptions): Metadata {
  const metadata = withoutSplitKeys(model.metadata);
  const set: [string, GgufValue][] = [
    ['general.quantization_version', u32(QUANTIZATION_VERSION)],
    ['general.file_type', u32(fileTypeId(mixture))],
    ...importanceKeys(options),
    ['bitmill.recipes', str(recipesName(mixture, options))],
    ['bitmill.version', str(options.version)],
    ...(options.overrides ?? []),
  ];
  for (const [key, value] of set) {
    metadata.delete(key);
    metadata.set(key, value);
  }
  return metadata;
}
