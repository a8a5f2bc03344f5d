/** `bitmill upload`: a set of quants, or any folder, into a repository of a Hugging Face hub. */
import type { Command } from 'commander';
import { type Uploaded, type UploadFile, uploadFiles, workerPool } from '../../platform/index.ts';
import { collect } from '../option-values.ts';
import { hasCard, publicationOf, unsent, verified } from '../publication.ts';
import { formatSize, printJson, table, terminalProgress } from '../terminal.ts';

interface Flags {
  readonly private?: boolean;
  readonly revision?: string;
  readonly message?: string;
  readonly include: string[];
  readonly exclude: string[];
  readonly createPr?: boolean;
  readonly verify: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const HELP = `
Of a set made by bitmill make: the files that its bitmill.json names, the card and its images, the manifests; each is
compared with bitmill.json first. Of any other folder: everything but hidden and unfinished files.
What the repository has already is not sent, so an interrupted upload goes on when it is started again.
Patterns: *.gguf, images/**; without a slash for the last name of a path. Repeatable.
Environment: HF_TOKEN, HF_HOME, HF_ENDPOINT.`;

export function defineUpload(command: Command): void {
  command
    .name('upload')
    .description('send a set of quants, or any folder, to a repository of the Hugging Face hub')
    .argument('<folder>', 'folder made by bitmill make, or any other')
    .argument('<repository>', 'owner/name; made where it is missing')
    .option('--private', 'make the repository private, where it has to be made')
    .option('--revision <branch>', 'branch (default: main); made where it is missing')
    .option('--message <text>', 'first line of the commits')
    .option('--include <glob>', 'only files that match', collect, [])
    .option('--exclude <glob>', 'not the files that match', collect, [])
    .option('--create-pr', 'propose the files in a pull request')
    .option('--no-verify', 'do not compare the files with bitmill.json')
    .option('--dry-run', 'only say what would be sent')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(upload);
}

function total(files: readonly UploadFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

function counted(files: readonly UploadFile[]): string {
  return `${files.length} ${files.length === 1 ? 'file' : 'files'} (${formatSize(total(files))})`;
}

async function upload(folder: string, repository: string, flags: Flags): Promise<void> {
  const { json, dryRun = false } = flags;
  const progress = terminalProgress(json ? { quiet: true } : {});
  const publication = await publicationOf(folder, flags);
  if (publication.set && !hasCard(publication.files)) {
    progress.warn(`${folder} has no README.md; bitmill card ${folder} writes it`);
  }
  for (const name of publication.set ? unsent(publication.set, publication.files) : []) {
    progress.warn(`README.md speaks of ${name}, which is left out`);
  }
  if (!json) process.stderr.write(`${folder}: ${counted(publication.files)}\n`);
  const executor = workerPool();
  try {
    const files = flags.verify ? await verified(publication, executor, progress) : publication.files;
    const { revision, message } = flags;
    const outcome = await uploadFiles(repository, files, {
      ...(revision === undefined ? {} : { revision }),
      ...(message === undefined ? {} : { message }),
      private: flags.private ?? false,
      createPr: flags.createPr ?? false,
      dryRun,
      progress,
      executor,
    });
    if (json) printJson(jsonOf(outcome, dryRun));
    else print(outcome, dryRun);
  } finally {
    await executor.close();
  }
}

function print(outcome: Uploaded, dryRun: boolean): void {
  const { repository, revision, url, created, sent, skipped, pullRequest } = outcome;
  if (dryRun && sent.length > 0) {
    process.stdout.write(
      `${table([['file', 'size'], ...sent.map(({ name, size }) => [name, formatSize(size)])], [1])}\n`,
    );
  }
  const done = dryRun ? 'would be sent' : 'sent';
  const there = skipped.length > 0 ? `, ${counted(skipped)} there already` : '';
  const made = created ? (dryRun ? ', which would be made' : ', which was made') : '';
  process.stderr.write(`${counted(sent)} ${done} to ${repository}@${revision}${made}${there}\n`);
  if (!dryRun) process.stdout.write(`${pullRequest ?? url}\n`);
}

function jsonOf({ sent, skipped, commits, pullRequest, ...rest }: Uploaded, dryRun: boolean) {
  const entries = (files: readonly UploadFile[]) => files.map(({ name, size }) => ({ name, bytes: size }));
  return {
    ...rest,
    dry_run: dryRun,
    sent: entries(sent),
    skipped: entries(skipped),
    bytes: total(sent),
    commits,
    pull_request: pullRequest ?? null,
  };
}
