/**
 * The manifest of a folder of quantized files: what each is, its SHA-256, and how it was made. Files of earlier
 * runs into the same folder stay listed.
 */
import { z } from 'zod';
import type { FormatName } from '../quants/index.ts';
import { describeRun } from './describe.ts';
import type { PlanKeys } from './key.ts';
import { bitsPerWeight, type Plan } from './plan.ts';
import type { Workspace } from './workspace.ts';

export const MANIFEST = 'manifest.json';

/** A file that a run made. */
export interface FileResult {
  readonly name: string;
  /** File type or recipe. */
  readonly type: string;
  /** Of the whole file. */
  readonly bytes: number;
  /** Tensor data only; of a shard, its own tensors. */
  readonly bitsPerWeight: number;
  readonly sha256: string;
}

const SCHEMA = z.looseObject({
  files: z.array(z.looseObject({ name: z.string(), run: z.string() })),
  runs: z.record(z.string(), z.unknown()),
});

type Manifest = z.infer<typeof SCHEMA>;

/** What the plan alone says of each file. */
export function describeFiles(
  plan: Plan,
): (Omit<FileResult, 'sha256'> & { tensors: Record<string, FormatName> })[] {
  return plan.files.map((file) => ({
    name: file.name,
    type: file.type,
    bytes: file.layout.size,
    bitsPerWeight: bitsPerWeight([file]),
    tensors: Object.fromEntries(file.tensors.map(({ source, format }) => [source.name, format])),
  }));
}

async function readManifest(workspace: Workspace): Promise<Manifest | undefined> {
  try {
    return SCHEMA.parse(JSON.parse((await workspace.readText(MANIFEST)) ?? ''));
  } catch {
    return undefined;
  }
}

/** SHA-256 of the files that earlier runs finished just as this one would make them, by name. */
export async function finishedBefore(workspace: Workspace, keys: PlanKeys): Promise<Map<string, string>> {
  const manifest = await readManifest(workspace);
  const own =
    manifest?.files.filter(
      ({ name, key, sha256 }) => key === keys.files.get(name) && typeof sha256 === 'string',
    ) ?? [];
  return new Map(own.map(({ name, sha256 }) => [name, String(sha256)]));
}

/**
 * Writes the manifest; entries of other runs whose files this one did not replace stay. What it says of a file depends
 * on that file alone, so it ends the same however many runs made the folder.
 */
export async function writeManifest(
  workspace: Workspace,
  plan: Plan,
  keys: PlanKeys,
  sha256: ReadonlyMap<string, string>,
): Promise<void> {
  const files = describeFiles(plan).map((file) => ({
    ...file,
    sha256: sha256.get(file.name),
    key: keys.files.get(file.name),
    run: keys.run,
  }));
  const names = new Set(files.map(({ name }) => name));
  const earlier = await readManifest(workspace);
  const kept = (earlier?.files ?? []).filter(({ name }) => !names.has(name));
  const all = [...kept, ...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const used = new Set(all.map(({ run }) => run));
  const runs = Object.entries({ ...earlier?.runs, [keys.run]: describeRun(plan) })
    .filter(([run]) => used.has(run))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify({ version: 1, files: all, runs: Object.fromEntries(runs) }, null, 1);
  await workspace.writeText(MANIFEST, `${text}\n`);
}
