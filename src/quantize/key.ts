/** The key of a plan: one hash over everything that decides the bytes of its outputs. */
import { KERNELS_STAMP } from '../kernels/index.ts';
import type { Plan } from './plan.ts';
import type { NewHasher } from './workspace.ts';

/**
 * @param identity what tells the input file from another of the same header: sizes and times of change.
 * @returns 16 hex digits.
 */
export function planKey(plan: Plan, identity: string, newHasher: NewHasher): string {
  const { model, options, files } = plan;
  const hash = newHasher();
  const { imatrix, effort, version } = options;
  hash.update(JSON.stringify([version, KERNELS_STAMP, effort, identity, model.size]));
  for (const { name, format, shape, offset, shard } of model.tensors) {
    hash.update(JSON.stringify([name, format.name, shape, offset, shard]));
  }
  for (const [name, { sums, counts }] of imatrix?.entries ?? []) {
    hash.update(JSON.stringify([name, sums.length, counts.length]));
    for (const { buffer, byteOffset, byteLength } of [sums, counts]) {
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
  }
  for (const { name, layout, tensors } of files) {
    hash
      .update(JSON.stringify([name, layout.size, tensors.map(({ weighted }) => weighted)]))
      .update(layout.header);
  }
  return hash.hex().slice(0, 16);
}
