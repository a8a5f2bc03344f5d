/** `bitmill pull`: a checkpoint or a GGUF from a hub into the Hugging Face cache. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { inputError } from '../../core/index.ts';
import { type Pulled, parseGgufName, pullRepository } from '../../platform/index.ts';
import { printJson, terminalProgress } from '../terminal.ts';

interface PullOptions {
  readonly revision?: string;
  readonly json?: boolean;
}

export function definePull(command: Command): void {
  command
    .name('pull')
    .description(
      'receive a checkpoint or a GGUF from the Hugging Face hub into its cache; prints where it is',
    )
    .argument('<repository>', 'owner/name[@revision][:file type]')
    .option('--revision <name>', 'branch, tag or commit (default: main)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nOf a repository with safetensors the checkpoint is received, and its folder printed. Of one without, or with a\n' +
        'file type (owner/name:Q4_K_M), it is one GGUF model with all its shards; without a type the first that is there\n' +
        'of Q4_K_M, Q4_K_S, IQ4_XS, Q4_0, Q5_K_M, and so on. bitmill list and bitmill rm look after what was received.\n' +
        '\nContinues where an earlier run stopped, checks every file, and receives safetensors, never pickles.\n' +
        'Environment: HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE=1.',
    )
    .action(async (name: string, { revision, json }: PullOptions) => {
      const progress = terminalProgress(json ? { quiet: true } : {});
      if (!parseGgufName(name))
        throw inputError(name, 'is no repository id owner/name[@revision][:file type]');
      const pulled = await pullRepository(name, { progress, ...(revision ? { revision } : {}) });
      if (json) printJson(await jsonOf(pulled));
      else process.stdout.write(`${pulled.path}\n`);
    });
}

async function jsonOf({ path: place, folder, names, origin, received }: Pulled) {
  const files: { name: string; bytes: number }[] = [];
  for (const name of names) {
    const info = await stat(path.join(folder, name)).catch(() => undefined);
    if (info?.isFile()) files.push({ name, bytes: info.size });
  }
  const bytes = files.reduce((total, file) => total + file.bytes, 0);
  return { folder, ...(place === folder ? {} : { file: place }), ...origin, files, bytes, received };
}
