/**
 * The manifest of a folder of quantized files: what each is, its SHA-256, and how it was made. Files of earlier
 * runs into the same folder stay listed.
 */
import { z } from 'zod';
import type { FormatName } from '../quants/index.ts';
import { baseName } from './metadata.ts';
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

/** How a run was set, for the manifest. No path of the local machine but base names. */
function describeRun(plan: Plan): object {
  const { options, model } = plan;
  return {
    bitmill: options.version,
    input: { name: baseName(model.name), bytes: model.size, tensors: model.tensors.length },
    recipes: options.recipes.name,
    effort: options.effort,
    imatrix: options.imatrix && {
      name: baseName(options.imatrix.name),
      entries: options.imatrix.entries.size,
      chunks: options.imatrix.chunkCount,
    },
    overrides: {
      tensorTypes: (options.tensorTypes ?? []).map(({ pattern, format }) => `${pattern.source}=${format}`),
      keep: (options.keep ?? []).map((pattern) => pattern.source),
      outputType: options.outputType ?? null,
      embeddingType: options.embeddingType ?? null,
      leaveOutput: options.leaveOutput ?? false,
      pure: options.pure ?? false,
      metadata: [...(options.overrides?.keys() ?? [])],
    },
  };
}

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

/** SHA-256 of the files that an earlier run of the same plan finished, by name. */
export async function finishedBefore(workspace: Workspace, key: string): Promise<Map<string, string>> {
  const manifest = await readManifest(workspace);
  const own = manifest?.files.filter(({ run, sha256 }) => run === key && typeof sha256 === 'string') ?? [];
  return new Map(own.map(({ name, sha256 }) => [name, String(sha256)]));
}

/** Writes the manifest; entries of other runs whose files this one did not replace stay. */
export async function writeManifest(
  workspace: Workspace,
  plan: Plan,
  key: string,
  sha256: ReadonlyMap<string, string>,
): Promise<void> {
  const files = describeFiles(plan).map((file) => ({ ...file, sha256: sha256.get(file.name), run: key }));
  const names = new Set(files.map(({ name }) => name));
  const earlier = await readManifest(workspace);
  const kept = (earlier?.files ?? []).filter(({ name }) => !names.has(name));
  const all = [...kept, ...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const used = new Set(all.map(({ run }) => run));
  const runs = Object.entries({ ...earlier?.runs, [key]: describeRun(plan) }).filter(([run]) =>
    used.has(run),
  );
  const text = JSON.stringify({ version: 1, files: all, runs: Object.fromEntries(runs) }, null, 1);
  await workspace.writeText(MANIFEST, `${text}\n`);
}
