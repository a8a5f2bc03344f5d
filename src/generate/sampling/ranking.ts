/** The most likely tokens: found without sorting the vocabulary where few are asked for, else by sorting its bits. */

/** From so many on, sorting everything is faster than a heap. */
const MANY = 512;

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
    const id = heap[at];
    heap[at] = heap[child];
    heap[child] = id;
    at = child;
  }
}

/**
 * Ids of the `count` largest logits, largest first; of equal ones the lower id first. NaN counts as -Infinity.
 * Time V + n log n for the n ids that are ever among the largest, and never more than that of four passes over V.
 */
export function largest(logits: Float32Array, count: number): Int32Array {
  return ranked(logits, count).subarray(0, count);
}

/** The same, of at least `count`: of all, where more cost nothing. */
export function ranked(logits: Float32Array, count: number): Int32Array {
  const size = Math.min(count, logits.length);
  if (size > MANY) return ranking(logits);
  const value = (id: number): number => (Number.isNaN(logits[id]) ? Number.NEGATIVE_INFINITY : logits[id]);
  const isLess = (a: number, b: number): boolean => {
    const x = value(a);
    const y = value(b);
    return x === y ? a > b : x < y;
  };
  const heap = Int32Array.from({ length: size }, (_, id) => id);
  if (size === 0) return heap;
  for (let at = Math.floor(size / 2) - 1; at >= 0; at--) sink(heap, size, at, isLess);
  let least = value(heap[0]);
  // Ids come in order, so of equal logits the one in the heap stays.
  for (let id = size; id < logits.length; id++) {
    if (!(logits[id] > least)) continue;
    heap[0] = id;
    sink(heap, size, 0, isLess);
    least = value(heap[0]);
  }
  return heap.sort((a, b) => (isLess(a, b) ? 1 : -1));
}

/** Bits of a key that one pass sorts by. */
const DIGIT = 11;
const DIGITS = 2 ** DIGIT;

/** All ids in the order of `largest`: a radix sort of the floats' bits. */
function ranking(logits: Float32Array): Int32Array {
  const size = logits.length;
  const values = new Float32Array(size);
  const keys = new Uint32Array(values.buffer);
  let from = new Int32Array(size);
  for (let id = 0; id < size; id++) {
    // + 0 makes -0 and 0 the same bits.
    values[id] = Number.isNaN(logits[id]) ? Number.NEGATIVE_INFINITY : logits[id] + 0;
    // The largest float has the smallest key: of those above 0 all bits but the sign are turned.
    keys[id] = keys[id] & 0x80000000 ? keys[id] : ~keys[id] & 0x7fffffff;
    from[id] = id;
  }
  let to = new Int32Array(size);
  for (let shift = 0; shift < 32; shift += DIGIT) {
    const starts = new Int32Array(DIGITS + 1);
    for (let id = 0; id < size; id++) starts[((keys[id] >>> shift) & (DIGITS - 1)) + 1]++;
    for (let digit = 0; digit < DIGITS; digit++) starts[digit + 1] += starts[digit];
    for (let i = 0; i < size; i++) to[starts[(keys[from[i]] >>> shift) & (DIGITS - 1)]++] = from[i];
    [from, to] = [to, from];
  }
  return from;
}

/** Id of the largest logit, the lowest of equal ones. */
export function mostLikely(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) {
    if (logits[id] > logits[best] || (Number.isNaN(logits[best]) && !Number.isNaN(logits[id]))) best = id;
  }
  return best;
}
