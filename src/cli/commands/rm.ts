/** `bitmill rm`: models out of the cache. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { usageError } from '../../core/index.ts';
import { cacheFolders, planRemoval, type Removal, remove } from '../../platform/index.ts';
import { formatSize, printJson } from '../terminal.ts';

interface Flags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const EXPLANATION = `
Examples:
  bitmill rm owner/name                    all of a repository
  bitmill rm owner/name:Q4_K_M             one of its models, all shards
  bitmill rm owner/name@v1                 one revision; what others share with it stays
  bitmill rm phi3-tiny                     what was made of it; it is made again when it is needed

Only what is in the cache is removed, wherever a link leads. Without a terminal to ask at, --yes is needed.`;

export function defineRm(command: Command): void {
  command
    .name('rm')
    .description('remove a model, or a file of it, from the cache')
    .argument('<model>', 'owner/name[@revision][:file or type]; see bitmill list')
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'say what would be removed, and remove nothing')
    .option('--json', 'print JSON')
    .addHelpText('after', EXPLANATION)
    .action((name: string, flags: Flags) => run(name, flags));
}

function describe({ model, names, freed }: Removal): string {
  const shown = names.length > 8 ? [...names.slice(0, 8), `${names.length - 8} more`] : names;
  return `${model.name} (${model.folder}): ${shown.join(', ') || 'nothing whole'}; ${formatSize(freed)}`;
}

async function confirmed(removal: Removal, { yes }: Flags): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY)
    throw usageError('rm asks first, and there is no terminal', 'say --yes, or --dry-run');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const said = await terminal.question(`remove ${describe(removal)}? [y/N] `);
    return /^y(es)?$/i.test(said.trim());
  } finally {
    terminal.close();
  }
}

async function run(name: string, flags: Flags): Promise<void> {
  const removal = await planRemoval(name, await cacheFolders());
  const removed = !flags.dryRun && (await confirmed(removal, flags));
  if (removed) await remove(removal);
  const { model, names, freed, paths } = removal;
  if (flags.json) {
    printJson({ model: model.name, removed, files: names, paths, bytes: freed });
    return;
  }
  const verb = removed ? 'removed' : flags.dryRun ? 'would remove' : 'kept';
  process.stdout.write(`${verb} ${describe(removal)}${removed ? ' freed' : ''}\n`);
}
