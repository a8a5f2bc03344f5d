/** `bitmill pull`: a checkpoint from a hub into the Hugging Face cache. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { resolveModel } from '../../platform/index.ts';
import { printJson, terminalProgress } from '../terminal.ts';

interface PullOptions {
  readonly revision?: string;
  readonly json?: boolean;
}

export function definePull(command: Command): void {
  command
    .name('pull')
    .description('receive a checkpoint from the Hugging Face hub into its cache; prints the folder')
    .argument('<repository>', 'owner/name[@revision]')
    .option('--revision <name>', 'branch, tag or commit (default: main)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nContinues where an earlier run stopped, checks every file, and receives safetensors, never pickles.\n' +
        'Environment: HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE=1.',
    )
    .action(async (repository: string, { revision, json }: PullOptions) => {
      const progress = terminalProgress(json ? { quiet: true } : {});
      const model = await resolveModel(repository, { progress, ...(revision ? { revision } : {}) });
      if (!json) {
        process.stdout.write(`${model.folder}\n`);
        return;
      }
      const files: { name: string; bytes: number }[] = [];
      for (const name of await model.files.list()) {
        const info = await stat(path.join(model.folder, name)).catch(() => undefined);
        if (info?.isFile()) files.push({ name, bytes: info.size });
      }
      printJson({
        folder: model.folder,
        ...model.origin,
        files,
        bytes: files.reduce((total, file) => total + file.bytes, 0),
        received: model.received,
      });
    });
}
