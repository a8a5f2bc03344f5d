/** How a run was set, in words for the manifest. */
import { baseName } from './metadata.ts';
import type { Plan } from './plan.ts';

/** No path of the local machine but base names. */
export function describeRun(plan: Plan): object {
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
