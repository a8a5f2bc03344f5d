/**
 * The table of a run's spans: i32 numbers, one record a span. AssemblyScript and TypeScript alike: the backend writes
 * the table before a run, and the kernels of the caches read it, so a tape holds its address and no positions.
 */

/** Bytes of a record, and offsets in it: tokens, positions before the run, first row of the region, first token. */
export const SPAN_BYTES = 16;
export const SPAN_ROWS = 0;
export const SPAN_PAST = 4;
export const SPAN_START = 8;
export const SPAN_FIRST = 12;
