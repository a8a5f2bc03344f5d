/**
 * An importance matrix: for each weight matrix the squared activations of its columns, summed over the tokens
 * of a calibration text. Quantizers weigh the error of a column by its mean.
 * Letters: C columns (row length), X matrices in a tensor (experts; 1 without).
 */

export interface ImportanceEntry {
  /** Sums of squared activations `[X, C]`, non-negative. */
  readonly sums: Float32Array;
  /** Tokens behind the sums, `[X]`, or `[1]` for all matrices alike. */
  readonly counts: Float32Array;
}

export interface ImportanceMatrix {
  /** The file, for messages. */
  readonly name: string;
  readonly form: 'gguf' | 'dat';
  /** By the name of the weight tensor. */
  readonly entries: ReadonlyMap<string, ImportanceEntry>;
  /** Names of the calibration texts, as their maker wrote them. */
  readonly datasets: readonly string[];
  /** How many chunks of the text were seen, and tokens a chunk. */
  readonly chunkCount: number;
  readonly chunkSize: number;
}

/** Mean importance `[X * C]`; a matrix that saw no token counts all columns alike (1). */
export function meanImportance({ sums, counts }: ImportanceEntry): Float32Array {
  const cols = sums.length / counts.length;
  return sums.map((sum, i) => {
    const count = counts[Math.floor(i / cols)];
    return count > 0 ? sum / count : 1;
  });
}

/** What is wrong with the numbers of an entry, in words; undefined if nothing is. */
export function entryProblem({ sums, counts }: ImportanceEntry): string | undefined {
  const badCount = counts.findIndex((count) => !(count >= 0 && Number.isFinite(count)));
  if (badCount >= 0) return `count ${counts[badCount]} of matrix ${badCount}`;
  const badSum = sums.findIndex((sum) => !(sum >= 0 && Number.isFinite(sum)));
  if (badSum >= 0) return `value ${sums[badSum]} at index ${badSum}`;
  return undefined;
}
