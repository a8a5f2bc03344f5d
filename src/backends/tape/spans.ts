/** The table of a run's spans, as spans-layout.as.ts says it. */
import { type Dims, type Span, spansOf } from '../../graph/index.ts';
import { checkSpans } from '../binding.ts';
import { SPAN_BYTES, SPAN_FIRST, SPAN_PAST, SPAN_ROWS, SPAN_START } from '../wasm/kernels/spans-layout.as.ts';

/** Scores that attention computes for a span, up to a factor. */
function work({ rows, past }: Span): number {
  return rows * (2 * past + rows);
}

/**
 * The spans with the most work come first: threads that claim pieces in this order end at about the same time.
 * @throws Error: the spans are not the run's tokens.
 */
export function spanTable(dims: Dims, graph: string): Int32Array {
  checkSpans(dims, graph);
  let first = 0;
  const placed = spansOf(dims).map((span) => {
    const at = first;
    first += span.rows;
    return { span, at };
  });
  placed.sort((a, b) => work(b.span) - work(a.span));
  const table = new Int32Array((placed.length * SPAN_BYTES) / 4);
  placed.forEach(({ span: { rows, past, start }, at }, i) => {
    const record = table.subarray((i * SPAN_BYTES) / 4);
    record[SPAN_ROWS / 4] = rows;
    record[SPAN_PAST / 4] = past;
    record[SPAN_START / 4] = start;
    record[SPAN_FIRST / 4] = at;
  });
  return table;
}
