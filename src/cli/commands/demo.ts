/**
 * `bitmill demo`, what `npm start` runs: the whole way on a small synthetic checkpoint, each step by the command that
 * a user would type, and at the end what every file costs in size and in error.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import type { GgufFile } from '../../gguf/index.ts';
import { type ImportanceMatrix, writeImportanceMatrix } from '../../imatrix/index.ts';
import { openGguf, writeAtomically } from '../../platform/index.ts';
import { FILE_TYPES, type FileTypeName, parseFileTypes } from '../../quantize/index.ts';
import { decode, quality } from '../../quants/index.ts';
import { demoImportance, writeDemoCheckpoint } from '../demo-checkpoint.ts';
import { colours, formatSize, printJson, table } from '../terminal.ts';

/** A result row: what one file costs. */
interface Cost {
  readonly type: string;
  readonly bytes: number;
  /** Of the matrices alone. */
  readonly bitsPerWeight: number;
  /** Importance-weighted squared error of the matrices, relative to their weighted square. */
  readonly error: number;
}

interface DemoOptions {
  readonly output: string;
  readonly types: string;
  readonly effort: string;
  readonly json?: boolean;
}

/** Runs one bitmill command line, echoed as a user would type it. */
type RunStep = (args: readonly string[]) => Promise<void>;

function isMatrix({ name, shape }: { name: string; shape: readonly number[] }): boolean {
  return shape.length === 2 && name.endsWith('.weight');
}

/** An importance matrix with a few strong columns for every matrix of the layers. */
function syntheticMatrix(file: GgufFile, name: string): ImportanceMatrix {
  const layers = file.tensors.filter((tensor) => isMatrix(tensor) && tensor.name.startsWith('blk.'));
  const entries = layers.map(
    (tensor, i) =>
      [
        tensor.name,
        {
          sums: demoImportance(tensor.shape[0], i + 1).map((mean) => 512 * mean),
          counts: Float32Array.of(512),
        },
      ] as const,
  );
  return {
    name,
    form: 'gguf',
    entries: new Map(entries),
    datasets: ['synthetic'],
    chunkCount: 1,
    chunkSize: 512,
  };
}

/** Squared error of all matrices of a file against the original, weighted by the importance of the columns. */
async function costOf(
  type: string,
  file: GgufFile,
  original: GgufFile,
  matrix: ImportanceMatrix,
): Promise<Cost> {
  let error = 0;
  let square = 0;
  let bytes = 0;
  let weights = 0;
  for (const tensor of file.tensors.filter(isMatrix)) {
    const source = original.find(tensor.name);
    if (!source) continue;
    const x = decode(source.format, await original.read(source), source.weights);
    const y = decode(tensor.format, await file.read(tensor), tensor.weights);
    const importance = matrix.entries.get(tensor.name)?.sums ?? null;
    const one = quality(x, y, tensor.shape[0], importance);
    let norm = 0;
    for (const value of x) norm += value * value;
    error += one.error * norm;
    square += norm;
    bytes += tensor.bytes;
    weights += tensor.weights;
  }
  return { type, bytes: file.size, bitsPerWeight: (8 * bytes) / weights, error: error / square };
}

async function measure(
  folder: string,
  model: string,
  types: readonly string[],
  matrix: ImportanceMatrix,
): Promise<Cost[]> {
  const original = await openGguf(model);
  const costs: Cost[] = [];
  for (const type of types) {
    const file = await openGguf(path.join(folder, `${path.basename(model, '.gguf')}-${type}.gguf`));
    costs.push(await costOf(type, file, original, matrix));
    await file.close();
  }
  await original.close();
  return costs.sort((a, b) => b.bytes - a.bytes);
}

function costTable(costs: readonly Cost[]): string {
  const head = ['type', 'size', 'bits/weight', 'error', 'what it is'];
  const rows = costs.map(({ type, bytes, bitsPerWeight, error }) => [
    type,
    formatSize(bytes),
    bitsPerWeight.toFixed(2),
    `${(100 * error).toPrecision(3)} %`,
    FILE_TYPES[type as FileTypeName].description,
  ]);
  return table([head, ...rows], [1, 2, 3]);
}

async function demo(options: DemoOptions, run: RunStep): Promise<void> {
  const folder = options.output;
  const checkpoint = path.join(folder, 'checkpoint');
  const model = path.join(folder, 'demo-phi3.gguf');
  const imatrix = path.join(folder, 'demo-phi3.imatrix.gguf');
  const quants = path.join(folder, 'quants');
  await rm(quants, { recursive: true, force: true });
  await writeDemoCheckpoint(checkpoint);
  await run(['convert', checkpoint, '-o', model, '--name', 'Demo-phi3']);
  await run(['inspect', model]);
  const original = await openGguf(model);
  const matrix = syntheticMatrix(original, imatrix);
  await original.close();
  await writeAtomically(imatrix, (sink) => sink.write(0, writeImportanceMatrix(matrix, 'gguf')));
  await run([
    'quantize',
    model,
    '-o',
    quants,
    '--types',
    options.types,
    '--imatrix',
    imatrix,
    '--effort',
    options.effort,
  ]);
  const types = parseFileTypes(options.types);
  const costs = await measure(quants, model, types, matrix);
  if (options.json) printJson(costs);
  else
    process.stdout.write(
      `\n${costTable(costs)}\n\nThe files are in ${quants}. Weights are random: they show size and error, not talk.\nNext: bitmill convert CHECKPOINT -o MODEL.gguf, then bitmill quantize MODEL.gguf -o DIR --types k\n`,
    );
}

/** @param runCommand runs another command of this program by its arguments. */
export function defineDemo(command: Command, runCommand: RunStep): void {
  const c = colours(process.stderr);
  command
    .name('demo')
    .description(
      'the whole way on a small synthetic checkpoint: convert, inspect, quantize to every type, table',
    )
    .option('-o, --output <folder>', 'where everything goes', 'bitmill-demo')
    .option('--types <list>', 'file types as in quantize', 'all')
    .option('--effort <effort>', 'fast or best', 'fast')
    .option('--json', 'print the final table as JSON')
    .action((options: DemoOptions) =>
      demo(options, async (args) => {
        process.stderr.write(`\n${c.bold(`$ bitmill ${args.join(' ')}`)}\n`);
        await runCommand(args);
      }),
    );
}
