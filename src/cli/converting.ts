/** A checkpoint to a GGUF file, for every command that does it. */
import {
  type ConversionPlan,
  type ConversionReport,
  reportLines,
  writeConversion,
} from '../convert/index.ts';
import type { Executor, Progress } from '../core/index.ts';
import type { Checkpoint, CheckpointFiles } from '../hf/index.ts';
import { writeOutput } from './output.ts';

export interface ConvertSettings {
  readonly executor: Executor;
  readonly progress: Progress;
  /** Weights that are NaN or infinite are converted instead of refused. */
  readonly allowNonFinite: boolean;
}

/** Writes the planned file under its name when it is whole; what happened to weights on the way is warned of. */
export async function convertCheckpoint(
  files: CheckpointFiles,
  checkpoint: Checkpoint,
  plan: ConversionPlan,
  output: string,
  settings: ConvertSettings,
): Promise<ConversionReport> {
  let report: ConversionReport | undefined;
  const inputs = (await files.list()).map((file) => `${files.name}/${file}`);
  await writeOutput(output, inputs, async (sink) => {
    report = await writeConversion(checkpoint, plan, sink, settings);
  });
  if (!report) throw new Error(`${output} was written without a report`);
  for (const line of reportLines(report.total, plan.weights)) settings.progress.warn(line);
  return report;
}
