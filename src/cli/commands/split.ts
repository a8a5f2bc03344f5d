/** `bitmill split` and `bitmill merge`: one GGUF file to shards and back, as llama.cpp names and marks them. */
import { type Command, InvalidArgumentError } from 'commander';
import { usageError } from '../../core/index.ts';
import {
  type CopyPlan,
  type ShardRule,
  shardMetadata,
  shardName,
  shareOut,
  withoutSplitKeys,
  writeCopy,
} from '../../gguf/index.ts';
import { exists } from '../../platform/index.ts';
import { dataBytes, withGguf } from '../gguf.ts';
import { writeOutput } from '../output.ts';
import { formatSize, printJson, terminalProgress } from '../terminal.ts';

/** llama.cpp's default. */
const DEFAULT_MAX_TENSORS = 128;

/** Shards are numbered with five digits and counted in 16 bits. */
const MAX_SHARDS = 65_535;

const SIZE_UNITS: Readonly<Record<string, number>> = { M: 1e6, G: 1e9 };

/** `500M`, `2G`: decimal units, as llama.cpp takes them. */
function parseSize(text: string): number {
  const match = /^([1-9]\d{0,9})([MG])$/i.exec(text);
  if (!match) throw new InvalidArgumentError('expected a whole number and M or G, e.g. 500M or 2G.');
  return Number(match[1]) * SIZE_UNITS[match[2].toUpperCase()];
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0.');
  return Number(text);
}

/** An output file: its path and what is in it. */
interface Output extends CopyPlan {
  readonly path: string;
}

async function refuseExisting(outputs: readonly string[], force: boolean | undefined): Promise<void> {
  if (force) return;
  for (const output of outputs) {
    if (await exists(output)) throw usageError(`${output} exists`, 'add --force to replace it');
  }
}

/** Writes the outputs one by one, each atomically. @returns size of each in bytes. */
async function writeAll(label: string, outputs: readonly Output[]): Promise<number[]> {
  const progress = terminalProgress();
  const total = dataBytes(outputs.flatMap(({ tensors }) => tensors));
  progress.start(label, total, 'bytes');
  let done = 0;
  const sizes: number[] = [];
  try {
    for (const output of outputs) {
      await writeOutput(output.path, output.file.shards, async (sink) => {
        const size = await writeCopy(sink, output, (bytes) => {
          done += bytes;
          progress.update(done);
        });
        sizes.push(size);
      });
    }
  } finally {
    progress.stop();
  }
  return sizes;
}

function report(outputs: readonly Output[], sizes: readonly number[], json: boolean | undefined): void {
  const files = outputs.map(({ path, tensors }, i) => ({
    file: path,
    size: sizes[i],
    tensors: tensors.length,
  }));
  if (json) printJson({ files });
  else
    for (const { file, size, tensors } of files)
      process.stdout.write(`${file}  ${formatSize(size)}  ${tensors} tensors\n`);
}

interface SplitOptions {
  readonly maxTensors?: number;
  readonly maxSize?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

function ruleOf({ maxTensors, maxSize }: SplitOptions): ShardRule {
  if (maxTensors !== undefined && maxSize !== undefined) {
    throw usageError('--max-tensors and --max-size exclude each other');
  }
  return maxSize === undefined ? { maxTensors: maxTensors ?? DEFAULT_MAX_TENSORS } : { maxBytes: maxSize };
}

export function defineSplit(command: Command): void {
  command
    .name('split')
    .description('split a GGUF file into shards that llama.cpp loads')
    .argument('<file>', 'GGUF file (or shards, to split anew)')
    .argument('<prefix>', 'shards are named <prefix>-00001-of-0000N.gguf')
    .option('--max-tensors <n>', `tensors a shard (default: ${DEFAULT_MAX_TENSORS})`, parseCount)
    .option('--max-size <size>', 'tensor data a shard, e.g. 500M or 2G (decimal)', parseSize)
    .option('--force', 'replace files that exist')
    .option('--json', 'print JSON')
    .action(async (name: string, prefix: string, options: SplitOptions) => {
      const rule = ruleOf(options);
      await withGguf(name, async (file) => {
        const groups = shareOut(file, rule);
        if (groups.length > MAX_SHARDS)
          throw usageError(`that makes ${groups.length} shards; the limit is ${MAX_SHARDS}`);
        const outputs = groups.map((tensors, index) => ({
          path: shardName(prefix, index, groups.length),
          file,
          tensors,
          metadata: shardMetadata(file.metadata, index, groups.length, file.tensors.length),
          alignment: file.alignment,
        }));
        await refuseExisting(
          outputs.map((output) => output.path),
          options.force,
        );
        report(outputs, await writeAll('splitting', outputs), options.json);
      });
    });
}

export function defineMerge(command: Command): void {
  command
    .name('merge')
    .description('merge the shards of a model into one GGUF file')
    .argument('<shard>', 'any one of the shards; the others stand beside it')
    .argument('<output>', 'GGUF file to write')
    .option('--force', 'replace the output if it exists')
    .option('--json', 'print JSON')
    .action(async (shard: string, output: string, options: { force?: boolean; json?: boolean }) => {
      await withGguf(shard, async (file) => {
        await refuseExisting([output], options.force);
        const { tensors, alignment } = file;
        const outputs = [
          { path: output, file, tensors, metadata: withoutSplitKeys(file.metadata), alignment },
        ];
        report(outputs, await writeAll('merging', outputs), options.json);
      });
    });
}
