/** Some rows of a tensor, read with few reads. */
import type { GgufFile, GgufTensor } from '../gguf/index.ts';
import { formatBytes } from '../quants/index.ts';

/** Bytes between two rows that are read and thrown away rather than begin another read, which costs about as much. */
const LARGEST_GAP = 16 << 10;

/** Bytes read at once at most, unless a single row is longer. */
const LARGEST_READ = 4 << 20;

/** Indices of at most `most` of `rows` rows, ascending and evenly spaced: the middles of equal stretches. */
export function sampledRows(rows: number, most: number): number[] {
  const count = Math.min(rows, most);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * rows) / count));
}

/** Bytes that reads on their way may bring together, about. */
const MOST_PENDING = 16 << 20;

/** Index behind the last of the rows from `at` on that one read brings. */
function stretchEnd(rows: readonly number[], at: number, rowBytes: number): number {
  let end = at + 1;
  while (
    end < rows.length &&
    (rows[end] - rows[end - 1] - 1) * rowBytes <= LARGEST_GAP &&
    (rows[end] - rows[at] + 1) * rowBytes <= LARGEST_READ
  ) {
    end++;
  }
  return end;
}

/** Bytes of the given rows one after the other, in fresh memory. @param rows ascending. */
export async function readRows(
  file: GgufFile,
  tensor: GgufTensor,
  rows: readonly number[],
): Promise<Uint8Array> {
  const rowBytes = formatBytes(tensor.format, tensor.shape[0]);
  const bytes = new Uint8Array(rows.length * rowBytes);
  const reads: Promise<void>[] = [];
  let pending = 0;
  for (let at = 0; at < rows.length; ) {
    const [from, end] = [at, stretchEnd(rows, at, rowBytes)];
    const span = rows[end - 1] - rows[from] + 1;
    const read = file.read(tensor, rows[from] * rowBytes, span * rowBytes).then((found) => {
      for (let i = from; i < end; i++) {
        const start = (rows[i] - rows[from]) * rowBytes;
        bytes.set(found.subarray(start, start + rowBytes), i * rowBytes);
      }
    });
    reads.push(read);
    at = end;
    pending += span * rowBytes;
    if (pending < MOST_PENDING) continue;
    await Promise.all(reads.splice(0));
    pending = 0;
  }
  await Promise.all(reads);
  return bytes;
}
