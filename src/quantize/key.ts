/** The keys of a plan: hashes over everything that decides the bytes of its outputs. */
import { KERNELS_STAMP } from '../kernels/index.ts';
import { describeRun } from './describe.ts';
import type { Plan, PlannedFile } from './plan.ts';
import type { NewHasher } from './workspace.ts';

/** Each is 16 hex digits. */
export interface PlanKeys {
  /** Of the whole plan: its journal goes on only under the same. */
  readonly plan: string;
  /** Of everything that all files share: input, importance, settings. */
  readonly run: string;
  /** Of each file by name; what other files a plan has makes no difference, so one that is whole serves any plan. */
  readonly files: ReadonlyMap<string, string>;
}

const DIGITS = 16;

function runKey(plan: Plan, identity: string, newHasher: NewHasher): string {
  const { model, options } = plan;
  const hash = newHasher();
  const { imatrix, effort, version } = options;
  hash.update(JSON.stringify([version, KERNELS_STAMP, effort, identity, model.size, describeRun(plan)]));
  for (const { name, format, shape, offset, shard } of model.tensors) {
    hash.update(JSON.stringify([name, format.name, shape, offset, shard]));
  }
  for (const [name, { sums, counts }] of imatrix?.entries ?? []) {
    hash.update(JSON.stringify([name, sums.length, counts.length]));
    for (const { buffer, byteOffset, byteLength } of [sums, counts]) {
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
  }
  return hash.hex().slice(0, DIGITS);
}

function fileKey(run: string, { name, layout, tensors }: PlannedFile, newHasher: NewHasher): string {
  const hash = newHasher();
  hash.update(JSON.stringify([run, name, layout.size, tensors.map(({ weighted }) => weighted)]));
  return hash.update(layout.header).hex().slice(0, DIGITS);
}

/** @param identity what tells the input file from another of the same header: sizes and times of change, or a hash. */
export function planKeys(plan: Plan, identity: string, newHasher: NewHasher): PlanKeys {
  const run = runKey(plan, identity, newHasher);
  const files = new Map(plan.files.map((file) => [file.name, fileKey(run, file, newHasher)]));
  const all = newHasher().update(JSON.stringify([...files.values()]));
  return { plan: all.hex().slice(0, DIGITS), run, files };
}
