/** `bitmill dequantize`: a quantized GGUF to plain floats. */
import { type Command, Option } from 'commander';
import {
  DEQUANTIZE_TYPES,
  type DequantizeType,
  planDequantize,
  reportLines,
  type Tally,
  writeDequantized,
} from '../../convert/index.ts';
import { workerPool } from '../../platform/index.ts';
import { openModel } from '../gguf.ts';
import { parseCount } from '../option-values.ts';
import { writeOutput } from '../output.ts';
import { formatSize, printJson, terminalProgress } from '../terminal.ts';

interface DequantizeCommandOptions {
  readonly output: string;
  readonly dtype: DequantizeType;
  readonly threads?: string;
  readonly allowNonfinite?: boolean;
  readonly json?: boolean;
}

export function defineDequantize(command: Command): void {
  command
    .name('dequantize')
    .description('decode a quantized GGUF to floats; metadata stays')
    .argument('<file>', 'GGUF to read; of a model in shards, any one')
    .requiredOption('-o, --output <file>', 'GGUF to write')
    .addOption(new Option('--dtype <type>', 'type of the matrices').choices(DEQUANTIZE_TYPES).default('f32'))
    .option('--threads <n>', 'worker threads (default: all cores)')
    .option('--allow-nonfinite', 'write weights that are NaN or infinite instead of refusing them')
    .option('--json', 'print JSON')
    .action(runDequantize);
}

async function runDequantize(input: string, options: DequantizeCommandOptions): Promise<void> {
  const { output, dtype } = options;
  const progress = terminalProgress({ quiet: options.json === true });
  const executor = workerPool(
    options.threads === undefined ? undefined : parseCount('--threads', options.threads),
  );
  const file = await openModel(input);
  try {
    const plan = planDequantize(file, dtype);
    let tally: Tally | undefined;
    await writeOutput(output, file.shards, async (sink) => {
      const allowNonFinite = options.allowNonfinite === true;
      tally = await writeDequantized(file, plan, sink, { executor, progress, allowNonFinite });
    });
    if (!tally) return;
    const weights = file.tensors.reduce((sum, tensor) => sum + tensor.weights, 0);
    for (const line of reportLines(tally, weights)) progress.warn(line);
    const { size } = plan.layout;
    if (options.json) {
      printJson({ output, dtype, tensors: file.tensors.length, weights, bytes: size, changed: tally });
    } else process.stdout.write(`${output}: ${file.tensors.length} tensors, ${dtype}, ${formatSize(size)}\n`);
  } finally {
    await Promise.all([executor.close(), file.close()]);
  }
}
