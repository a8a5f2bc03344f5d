/**
 * `bitmill demo`, what `npm start` runs: the whole way on a small synthetic checkpoint, each step by the command that
 * a user would type, and at the end what every file costs in size and in divergence from the original.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { writeDemoCheckpoint } from '../demo-checkpoint.ts';
import { colours } from '../terminal.ts';

/** Texts that every installation has: one to calibrate on, another to measure on. */
const CALIBRATION = fileURLToPath(new URL('../../../README.md', import.meta.url));
const HELD_OUT = fileURLToPath(new URL('../../../ARCHITECTURE.md', import.meta.url));

/** Chunks of 512 tokens; random weights need no more, and a start should be quick. */
const CALIBRATION_CHUNKS = '8';
const MEASURED_CHUNKS = '2';

interface DemoOptions {
  readonly output: string;
  readonly types: string;
  readonly effort: string;
  readonly json?: boolean;
}

/** Runs one bitmill command line, echoed as a user would type it. */
type RunStep = (args: readonly string[]) => Promise<void>;

async function demo(options: DemoOptions, run: RunStep): Promise<void> {
  const at = (name: string) => path.join(options.output, name);
  const checkpoint = at('checkpoint');
  const model = at('demo-phi3.gguf');
  const imatrix = at('demo-phi3.imatrix.gguf');
  const base = at('demo-phi3.base.gguf');
  const quants = at('quants');
  await rm(quants, { recursive: true, force: true });
  await writeDemoCheckpoint(checkpoint);
  await run(['convert', checkpoint, '-o', model, '--name', 'Demo-phi3']);
  await run(['inspect', model]);
  await run(['imatrix', '-m', model, '-f', CALIBRATION, '--chunks', CALIBRATION_CHUNKS, '-o', imatrix]);
  const { types, effort } = options;
  await run(['quantize', model, '-o', quants, '--types', types, '--imatrix', imatrix, '--effort', effort]);
  await run(['perplexity', '-m', model, '-f', HELD_OUT, '--chunks', MEASURED_CHUNKS, '--save-kl-base', base]);
  await run(['perplexity', '--models', quants, '--kl-base', base, ...(options.json ? ['--json'] : [])]);
  if (options.json) return;
  process.stdout.write(
    `\nThe files are in ${quants}. Weights are random: they show sizes and losses, not talk.\n` +
      'Next: bitmill convert CHECKPOINT -o MODEL.gguf, then bitmill imatrix and bitmill quantize.\n',
  );
}

/** @param runCommand runs another command of this program by its arguments. */
export function defineDemo(command: Command, runCommand: RunStep): void {
  const c = colours(process.stderr);
  command
    .name('demo')
    .description(
      'the whole way on a small synthetic checkpoint: convert, imatrix, quantize to every type, measure',
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
