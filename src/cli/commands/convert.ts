/** `bitmill convert`: a checkpoint of Hugging Face to a GGUF. */
import type { Command } from 'commander';
import { Option } from 'commander';
import {
  CONVERT_TYPES,
  type ConversionPlan,
  type ConversionReport,
  type ConvertType,
  planConversion,
} from '../../convert/index.ts';
import { openCheckpoint } from '../../hf/index.ts';
import { resolveModel, workerPool } from '../../platform/index.ts';
import { convertCheckpoint } from '../converting.ts';
import { parseCount } from '../option-values.ts';
import { formatSize, printJson, terminalProgress } from '../terminal.ts';

interface ConvertCommandOptions {
  readonly output: string;
  readonly dtype: ConvertType | 'auto';
  readonly name?: string;
  readonly pre?: string;
  readonly threads?: string;
  readonly allowNonfinite?: boolean;
  readonly json?: boolean;
}

export function defineConvert(command: Command): void {
  command
    .name('convert')
    .description('convert a checkpoint (config, tokenizer, safetensors) to a GGUF')
    .argument('<checkpoint>', 'folder, or owner/name[@revision] of the Hugging Face hub')
    .requiredOption('-o, --output <file>', 'GGUF to write')
    .addOption(
      new Option('--dtype <type>', 'type of the matrices; auto: as in the checkpoint')
        .choices([...Object.keys(CONVERT_TYPES), 'auto'])
        .default('auto'),
    )
    .option('--name <name>', 'general.name; default: the name of the folder or repository')
    .option('--pre <name>', "llama.cpp's pre-tokenizer, where it is not detected")
    .option('--threads <n>', 'worker threads (default: all cores)')
    .option('--allow-nonfinite', 'convert weights that are NaN or infinite instead of refusing them')
    .option('--json', 'print JSON')
    .action(runConvert);
}

async function runConvert(place: string, options: ConvertCommandOptions): Promise<void> {
  const progress = terminalProgress({ quiet: options.json === true });
  const { files } = await resolveModel(place, { progress });
  const executor = workerPool(
    options.threads === undefined ? undefined : parseCount('--threads', options.threads),
  );
  const checkpoint = await openCheckpoint(files);
  try {
    const { dtype, name, pre } = options;
    const plan = await planConversion(checkpoint, { dtype, name, pre, warn: progress.warn });
    const allowNonFinite = options.allowNonfinite === true;
    const settings = { executor, progress, allowNonFinite };
    const report = await convertCheckpoint(files, checkpoint, plan, options.output, settings);
    if (options.json) printJson(jsonOf(options.output, plan, report));
    else process.stdout.write(`${summary(options.output, plan)}\n`);
  } finally {
    await Promise.all([executor.close(), checkpoint.close()]);
  }
}

function summary(output: string, plan: ConversionPlan): string {
  const { name, architecture, dtype, tensors, layout } = plan;
  return `${output}: ${name} (${architecture}), ${tensors.length} tensors, ${dtype}, ${formatSize(layout.size)}`;
}

function jsonOf(output: string, plan: ConversionPlan, { total, tallies }: ConversionReport) {
  return {
    output,
    name: plan.name,
    architecture: plan.architecture,
    tokenizer: plan.tokenizer,
    dtype: plan.dtype,
    tensors: plan.tensors.length,
    weights: plan.weights,
    bytes: plan.layout.size,
    changed: { ...total, tensors: Object.fromEntries(tallies) },
  };
}
