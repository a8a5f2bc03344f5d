/** `bitmill make`: a checkpoint into a measured and documented set of quants. */
import path from 'node:path';
import type { Command } from 'commander';
import { BitmillError, EXIT_CODES } from '../../core/index.ts';
import { addBackendOptions } from '../engine.ts';
import { make } from '../make/job.ts';
import { passedLimits } from '../make/limits.ts';
import type { MakeFlags } from '../make/settings.ts';
import { setTable } from '../make/table.ts';
import { collect } from '../option-values.ts';
import { colours, printJson } from '../terminal.ts';

const EXAMPLES = `
Examples:
  bitmill make ./phi-3-mini -o quants --calibration calibration.txt --eval-text wiki.txt
  bitmill make microsoft/Phi-3-mini-4k-instruct -o quants --types Q4_K_M,iq --calibration c.txt --eval-text w.txt
  bitmill make model-bf16.gguf -o quants --calibration c.txt --eval-text w.txt --max-kld Q4_K_M=0.05

The steps: convert (bf16 stays bf16), importance matrix, all quants in one pass, perplexity and KL divergence of each
against the original, the exam of each where there is one, errors of their tensors, card. calibration.txt, evaluation.txt
and exam.jsonl are found in the checkpoint's folder. The same command goes on where it was cut off, and repeats only what
a change of inputs or options concerns. A GGUF is used where it is.`;

export function defineMake(command: Command): void {
  const named = command
    .name('make')
    .description('checkpoint in; quants, their measured losses and a model card out')
    .argument(
      '<checkpoint>',
      'folder, owner/name[@revision] of the Hugging Face hub, F32, F16 or BF16 GGUF, or phi3-tiny',
    )
    .requiredOption('-o, --output <dir>', 'folder for everything')
    .option('-t, --types <list>', 'file types or groups, as in quantize (default: all)')
    .option(
      '--calibration <text>',
      'text for the importance matrix (default: calibration.txt of the checkpoint)',
    )
    .option('--chunks <n>', 'chunks of it at most (default: all)')
    .option('--eval-text <text>', 'text to measure losses on (default: evaluation.txt of the checkpoint)')
    .option('--eval-chunks <n>', 'chunks of it at most (default: 20)')
    .option('--no-eval', 'measure no losses')
    .option('-c, --ctx-size <n>', 'tokens a chunk, for both texts', '512')
    .option('--exam <jsonl>', 'questions with right answers (default: exam.jsonl of the checkpoint, if any)')
    .option(
      '--parse-special',
      'read <|user|> and the like as control tokens (default: in texts of the checkpoint)',
    )
    .option('--no-parse-special', 'never do')
    .option('--effort <fast|best>', 'how hard the encoders search', 'fast')
    .option('--recipes <name|file>', 'recipe set, or a recipe file (JSON); repeatable', collect, [])
    .option('--name <name>', 'of the model and in file names (default: as the folder or repository)')
    .option('--base-model <owner/name>', 'repository that the card names as the base')
    .option('--max-kld <n|type=n>', 'exit code 6 where a mean divergence passes it; repeatable', collect, [])
    .option('--memory <size>', 'memory to stay below, e.g. 4GiB');
  addBackendOptions(named)
    .option('--threads <n>', 'worker threads (default: all cores)')
    .option('--json', 'print bitmill.json')
    .option('-q, --quiet', 'no progress')
    .addHelpText('after', EXAMPLES)
    .action(runMake);
}

async function runMake(checkpoint: string, flags: MakeFlags): Promise<void> {
  const { set, settings, failures, card } = await make(checkpoint, flags);
  if (flags.json) printJson(set);
  else {
    process.stdout.write(`${setTable(set)}\n`);
    const [first] = card;
    const shown = path.join(settings.output, first ?? '');
    process.stdout.write(`\n${first === undefined ? `The files are in ${shown}` : `Card: ${shown}`}\n`);
  }
  const c = colours(process.stderr);
  const passed = passedLimits(set.quants, settings.limits);
  for (const line of passed) process.stderr.write(`${c.red('loss:')} ${line}\n`);
  if (failures.length > 0) {
    process.stderr.write(
      `${c.red('error:')} ${failures.length} of ${set.quants.length} failed; the same command tries again\n`,
    );
    throw failures[0];
  }
  if (passed.length > 0) {
    throw new BitmillError(
      'check',
      `${passed.length} of ${set.quants.length} files lost more than --max-kld allows`,
    );
  }
  process.exitCode = EXIT_CODES.ok;
}
