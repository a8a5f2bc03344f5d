/** `bitmill card`: the model card of a folder of quants, from its bitmill.json. */
import path from 'node:path';
import type { Command } from 'commander';
import { SET_FILE } from '../../report/index.ts';
import { writeCard } from '../card.ts';
import { readSet } from '../set-file.ts';
import { printJson, terminalProgress } from '../terminal.ts';

const HELP = `
Reads ${SET_FILE}, which bitmill make writes, and the importance matrix that it names; measures nothing. The same
folder gives the same bytes. Text between <!-- bitmill:notes --> and <!-- /bitmill:notes --> in README.md is kept, and so
are lines of its head between "# bitmill:keys" and "# /bitmill:keys".`;

export function defineCard(command: Command): void {
  command
    .name('card')
    .description('write the model card of a folder of quants: README.md, with plots in images/')
    .argument('<dir>', `folder with ${SET_FILE}`)
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', HELP)
    .action(async (folder: string, { json }: { json?: boolean }) => {
      const { card, pictures } = await writeCard(folder, await readSet(folder), terminalProgress().warn);
      if (json) printJson({ card, pictures });
      else process.stdout.write(`${[card, ...pictures].map((file) => path.join(folder, file)).join('\n')}\n`);
    });
}
