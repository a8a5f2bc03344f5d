/** Short forms that lowerings share. */
import { rowsOf, type Value } from '../../../graph/index.ts';
import type { LowerContext } from '../lower.ts';

/** Address and row stride of a value: two arguments of a kernel. */
export function matrix(value: Value, context: LowerContext): [number, number] {
  const { address, stride } = context.place(value);
  return [address, stride];
}

/** Rows and columns of a value in this run: two arguments of a kernel. */
export function size(value: Value, { dims }: LowerContext): [number, number] {
  return [rowsOf(value, dims), value.cols];
}

/** The output of a node whose operation has one. */
export function output({ op, output }: { readonly op: string; readonly output: Value | undefined }): Value {
  if (!output) throw new Error(`${op} without an output`);
  return output;
}
