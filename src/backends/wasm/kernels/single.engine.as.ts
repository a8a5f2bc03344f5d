/**
 * The product of one token with rows of the formats in single-kinds.as.ts, each weight multiplied as it is
 * unpacked.
 */
import { iq1_s_row, iq1_m_row } from './single-iq1.as';
import { iq2_xxs_row, iq2_xs_row, iq2_s_row } from './single-iq2.as';
import { iq3_xxs_row, iq3_s_row } from './single-iq3.as';
import { q4_k_row, q5_k_row, q6_k_row } from './single-k.as';
import { q2_k_row, q3_k_row, iq4_xs_row } from './single-low.as';
import { q8_0_row, q4_0_row, q4_1_row, q5_0_row, q5_1_row, iq4_nl_row } from './single-narrow.as';
import * as kinds from './single-kinds.as';
import { claim, rowsToClaim } from './work.as';

/** y[n] = sum over k of x[k] w[n, k]. @param kind of single-kinds.as.ts. @param record the token's first record. */
export function matvec_single(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  kind: i32, weights: usize, rows: i32, cols: i32, rowBytes: usize, record: usize, y: usize,
): void {
  const few = rowsToClaim(rows, threads);
  for (let first = claim(counter) * few; first < rows; first = claim(counter) * few) {
    for (let row = first, end = min(rows, first + few); row < end; row++) {
      store<f32>(y + (<usize>row << 2), rowTimesToken(kind, weights + <usize>row * rowBytes, cols, record));
    }
  }
}

function rowTimesToken(kind: i32, src: usize, cols: i32, record: usize): f32 {
  const blocks = kind < kinds.Q8_0 ? cols >> 8 : cols >> 5;
  switch (kind) {
    case kinds.Q4_K: return q4_k_row(src, blocks, record);
    case kinds.Q5_K: return q5_k_row(src, blocks, record);
    case kinds.Q6_K: return q6_k_row(src, blocks, record);
    case kinds.Q2_K: return q2_k_row(src, blocks, record);
    case kinds.Q3_K: return q3_k_row(src, blocks, record);
    case kinds.IQ4_XS: return iq4_xs_row(src, blocks, record);
    case kinds.IQ1_S: return iq1_s_row(src, blocks, record);
    case kinds.IQ1_M: return iq1_m_row(src, blocks, record);
    case kinds.IQ2_XXS: return iq2_xxs_row(src, blocks, record);
    case kinds.IQ2_XS: return iq2_xs_row(src, blocks, record);
    case kinds.IQ2_S: return iq2_s_row(src, blocks, record);
    case kinds.IQ3_XXS: return iq3_xxs_row(src, blocks, record);
    case kinds.IQ3_S: return iq3_s_row(src, blocks, record);
    case kinds.Q8_0: return q8_0_row(src, blocks, record);
    case kinds.Q4_0: return q4_0_row(src, blocks, record);
    case kinds.Q4_1: return q4_1_row(src, blocks, record);
    case kinds.Q5_0: return q5_0_row(src, blocks, record);
    case kinds.Q5_1: return q5_1_row(src, blocks, record);
    case kinds.IQ4_NL: return iq4_nl_row(src, blocks, record);
    default: return NaN;
  }
}
