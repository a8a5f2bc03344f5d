/** Importance matrices from files of either form, and whether one fits a model. */
import { type ByteSource, inputError } from '../core/index.ts';
import { readDat, writeDat } from './dat.ts';
import { readGgufForm, writeGgufForm } from './gguf-form.ts';
import { entryProblem, type ImportanceMatrix, meanImportance } from './types.ts';

/** Largest file that is read, in bytes: a 1,000 B-parameter model's has under 1 GB. */
const MAX_BYTES = 2 ** 31;
/** Misfits that an error lists at most. */
const LISTED = 20;
const MAGIC = [0x47, 0x47, 0x55, 0x46]; // 'GGUF'

function list(problems: readonly string[]): string {
  const shown = problems.slice(0, LISTED).map((line) => `\n  ${line}`);
  const more = problems.length - shown.length;
  return shown.join('') + (more > 0 ? `\n  and ${more} more` : '');
}

/**
 * Reads an importance matrix, in GGUF form or the older `.dat`, whatever its name.
 * @throws input error: neither form, malformed, or numbers that are not finite or below zero (all are listed).
 */
export async function readImportanceMatrix(source: ByteSource): Promise<ImportanceMatrix> {
  if (source.size < 4 || source.size > MAX_BYTES) {
    throw inputError(source.name, `has ${source.size} bytes: no importance matrix`);
  }
  const start = await source.read(0, 4);
  const isGguf = MAGIC.every((byte, i) => start[i] === byte);
  const matrix = await (isGguf ? readGgufForm(source) : readDat(source));
  if (matrix.entries.size === 0) throw inputError(source.name, 'holds no entry');
  const problems = [...matrix.entries].flatMap(([name, entry]) => {
    const problem = entryProblem(entry);
    return problem === undefined ? [] : [`${name}: ${problem}`];
  });
  if (problems.length > 0)
    throw inputError(source.name, `has numbers that no calibration gives:${list(problems)}`);
  return matrix;
}

/** The bytes of a file in one of the two forms. */
export function writeImportanceMatrix(matrix: ImportanceMatrix, form: ImportanceMatrix['form']): Uint8Array {
  return form === 'gguf' ? writeGgufForm(matrix) : writeDat(matrix);
}

/** What `checkAgainstModel` needs of a tensor. */
export interface WeightShape {
  readonly name: string;
  /** Row length first. */
  readonly shape: readonly number[];
}

/** Matrices in a tensor: all but the first two dimensions. */
function matrices({ shape }: WeightShape): number {
  return shape.slice(2).reduce((product, size) => product * size, 1);
}

/**
 * Throws one input error that lists every entry that does not fit the model: names that the model lacks, other
 * widths, bad numbers, entries that saw no token.
 */
export function checkAgainstModel(matrix: ImportanceMatrix, tensors: readonly WeightShape[]): void {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const problems: string[] = [];
  for (const [name, entry] of matrix.entries) {
    const tensor = byName.get(name);
    const expected = tensor ? tensor.shape[0] * matrices(tensor) : 0;
    const bad = entryProblem(entry);
    if (!tensor) problems.push(`${name}: the model has no such tensor`);
    else if (entry.sums.length !== expected)
      problems.push(`${name}: has ${entry.sums.length} columns, the model ${expected}`);
    else if (bad !== undefined) problems.push(`${name}: ${bad}`);
    else if (entry.counts.every((count) => count === 0)) problems.push(`${name}: saw no token (count 0)`);
  }
  if (problems.length === 0) return;
  throw inputError(
    matrix.name,
    `does not fit the model:${list(problems)}`,
    'use an importance matrix made from this very model; bitmill quantize can leave entries out (--exclude-weights)',
  );
}

/**
 * Mean importance of the columns of a tensor, `[X, C]`; null where the matrix has no entry for it.
 * @param values columns times matrices, as the model has them. @throws input error: another number of values.
 */
export function importanceFor(matrix: ImportanceMatrix, name: string, values: number): Float32Array | null {
  const entry = matrix.entries.get(name);
  if (!entry) return null;
  if (entry.sums.length !== values) {
    throw inputError(matrix.name, `${name} has ${entry.sums.length} columns, the model ${values}`);
  }
  return meanImportance(entry);
}

/** Only entries whose name contains one of `include` (if any are given) and none of `exclude`. */
export function filterEntries(
  matrix: ImportanceMatrix,
  { include = [], exclude = [] }: { include?: readonly string[]; exclude?: readonly string[] },
): ImportanceMatrix {
  const kept = [...matrix.entries].filter(
    ([name]) =>
      (include.length === 0 || include.some((part) => name.includes(part))) &&
      !exclude.some((part) => name.includes(part)),
  );
  return { ...matrix, entries: new Map(kept) };
}
