/** Merging importance matrices: sums and counts are added, so that each token weighs the same. */
import { inputError } from '../core/index.ts';
import type { ImportanceMatrix } from './types.ts';

/** Sums `[X, C]` and counts `[X]` of one weight, in f64 until the end. */
interface Totals {
  sums: Float64Array;
  counts: Float64Array;
}

/** One count for all matrices alike, or one each. */
function spreadCounts(counts: Float64Array, length: number): Float64Array {
  return counts.length === length ? counts : new Float64Array(length).fill(counts[0]);
}

/** Numbers that are added up before they are rounded to f32 once. */
export class ImportanceSum {
  readonly #entries = new Map<string, Totals>();
  readonly #datasets = new Set<string>();
  #tokens = 0;
  #chunkSize = 0;

  /** @param source for messages. @throws input error: another number of columns than before. */
  add(
    source: string,
    name: string,
    { sums, counts }: { sums: ArrayLike<number>; counts: ArrayLike<number> },
    weight = 1,
  ): void {
    const known = this.#entries.get(name) ?? {
      sums: new Float64Array(sums.length),
      counts: new Float64Array(counts.length),
    };
    const fits = known.counts.length === counts.length || known.counts.length === 1 || counts.length === 1;
    if (known.sums.length !== sums.length || !fits) {
      throw inputError(
        source,
        `${name} has ${sums.length} columns in ${counts.length} matrices, ` +
          `before it were ${known.sums.length} in ${known.counts.length}`,
        'only importance matrices of one model can be merged',
      );
    }
    const matrices = Math.max(known.counts.length, counts.length);
    known.counts = spreadCounts(known.counts, matrices);
    const more = spreadCounts(Float64Array.from(counts), matrices);
    for (let i = 0; i < known.sums.length; i++) known.sums[i] += weight * sums[i];
    for (let i = 0; i < matrices; i++) known.counts[i] += weight * more[i];
    this.#entries.set(name, known);
  }

  /** What was seen. The first chunk size is the sum's. */
  saw(datasets: readonly string[], chunkCount: number, chunkSize: number): void {
    for (const name of datasets) this.#datasets.add(name);
    this.#tokens += chunkCount * chunkSize;
    this.#chunkSize ||= chunkSize;
  }

  addMatrix(matrix: ImportanceMatrix): void {
    for (const [name, entry] of matrix.entries) this.add(matrix.name, name, entry);
    this.saw(matrix.datasets, matrix.chunkCount, matrix.chunkSize);
  }

  /** In f32, as files hold it; entries by name. */
  finish(name: string, form: ImportanceMatrix['form']): ImportanceMatrix {
    const entries = [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      name,
      form,
      entries: new Map(
        entries.map(([key, { sums, counts }]) => [
          key,
          { sums: Float32Array.from(sums), counts: Float32Array.from(counts) },
        ]),
      ),
      datasets: [...this.#datasets],
      chunkCount: this.#chunkSize > 0 ? Math.round(this.#tokens / this.#chunkSize) : 0,
      chunkSize: Math.max(1, this.#chunkSize),
    };
  }
}
