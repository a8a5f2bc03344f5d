/** The most likely tokens, found without sorting the whole vocabulary. */

/** Moves the entry at `at` down to its place in a heap whose root is the least likely. */
function sink(
  heap: Int32Array,
  size: number,
  start: number,
  isLess: (a: number, b: number) => boolean,
): void {
  let at = start;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) return;
    if (child + 1 < size && isLess(heap[child + 1], heap[child])) child++;
    if (!isLess(heap[child], heap[at])) return;
    [heap[at], heap[child]] = [heap[child], heap[at]];
    at = child;
  }
}

/**
 * Ids of the `count` largest logits, largest first; of equal ones the lower id first.
 * Time V log count. NaN counts as -Infinity.
 */
export function largest(logits: Float32Array, count: number): Int32Array {
  const size = Math.min(count, logits.length);
  const value = (id: number): number => (Number.isNaN(logits[id]) ? Number.NEGATIVE_INFINITY : logits[id]);
  const isLess = (a: number, b: number): boolean => {
    const [x, y] = [value(a), value(b)];
    return x === y ? a > b : x < y;
  };
  const heap = Int32Array.from({ length: size }, (_, id) => id);
  for (let at = Math.floor(size / 2) - 1; at >= 0; at--) sink(heap, size, at, isLess);
  for (let id = size; id < logits.length; id++) {
    if (!(logits[id] > logits[heap[0]]) && !isLess(heap[0], id)) continue;
    heap[0] = id;
    sink(heap, size, 0, isLess);
  }
  return heap.sort((a, b) => (isLess(a, b) ? 1 : -1));
}

/** Id of the largest logit, the lowest of equal ones. */
export function mostLikely(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) {
    if (logits[id] > logits[best] || (Number.isNaN(logits[best]) && !Number.isNaN(logits[id]))) best = id;
  }
  return best;
}
