/** Addresses of quantized activations; layout.as.ts says how they lie. */
import { NARROW_RECORD, WIDE, WIDE_RECORD } from './layout.as';

/** Bytes of the record of a group. */
export function recordBytes(group: i32): usize {
  return group == WIDE ? WIDE_RECORD : NARROW_RECORD;
}

/** Address of group 0 of a token; its next groups follow 2 records apart. @param groups a token's. */
export function recordAt(records: usize, token: i32, groups: i32, group: i32): usize {
  return records + (<usize>(token >> 1) * groups * 2 + (token & 1)) * recordBytes(group);
}
