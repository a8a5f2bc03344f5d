/** `bitmill list`: the models that are here. */
import type { Command } from 'commander';
import {
  bytesOnDisk,
  type CachedModel,
  type CachedRevision,
  cachedModels,
  cacheFolders,
} from '../../platform/index.ts';
import { formatSize, printJson, table } from '../terminal.ts';

const EXPLANATION = `
Lists what pull, and commands that were given a repository (-m owner/name), have received into the Hugging Face cache
(HF_HUB_CACHE, else hub in HF_HOME), and what was made of models that come with bitmill. Files that revisions share are
counted once in the total. "used" is when a file of it was read last, as far as the file system keeps that.`;

export function defineList(command: Command): void {
  command
    .name('list')
    .description('list the models in the cache')
    .option('--json', 'print JSON')
    .addHelpText('after', EXPLANATION)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const models = await cachedModels(await cacheFolders());
      if (json) printJson(jsonOf(models));
      else process.stdout.write(`${textOf(models)}\n`);
    });
}

/** When any file of it was read last; ms. */
function lastUse({ files }: CachedRevision): number | undefined {
  return files.length === 0 ? undefined : Math.max(...files.map(({ used }) => used));
}

function totalBytes(models: readonly CachedModel[]): number {
  return bytesOnDisk(models.flatMap(({ revisions }) => revisions.flatMap(({ files }) => files)));
}

function jsonOf(models: readonly CachedModel[]) {
  return {
    models: models.map((model) => ({
      name: model.name,
      kind: model.kind,
      folder: model.folder,
      bytes: totalBytes([model]),
      revisions: model.revisions.map((revision) => ({
        revision: revision.name,
        refs: revision.refs,
        bytes: bytesOnDisk(revision.files),
        used: dateOf(lastUse(revision)),
        files: revision.files.map(({ name, bytes, content }) => ({
          name,
          bytes,
          missing: content === undefined,
        })),
      })),
    })),
    bytes: totalBytes(models),
  };
}

function dateOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

/** The files that a user asks for by name; all the others as a number. */
function filesText({ files }: CachedRevision): string {
  const models = files.filter(({ name }) => /\.(gguf|safetensors)$/i.test(name)).map(({ name }) => name);
  const others = files.length - models.length;
  const more = others > 0 ? [`${others} other ${others === 1 ? 'file' : 'files'}`] : [];
  const shown = models.length > 3 ? [...models.slice(0, 2), `${models.length - 2} more`] : models;
  return [...shown, ...more].join(', ') || 'nothing';
}

function textOf(models: readonly CachedModel[]): string {
  if (models.length === 0) return 'no models in the cache; bitmill pull owner/name receives one';
  const rows = models.flatMap((model) =>
    model.revisions.map((revision) => [
      model.name,
      revision.refs.join(', ') || revision.name.slice(0, 12),
      formatSize(bytesOnDisk(revision.files)),
      dateOf(lastUse(revision))?.slice(0, 10) ?? '',
      filesText(revision),
    ]),
  );
  const empty = models
    .filter(({ revisions }) => revisions.length === 0)
    .map(({ name }) => [name, '', formatSize(0), '', 'nothing whole']);
  const head = ['model', 'revision', 'size', 'used', 'files'];
  return `${table([head, ...rows, ...empty], [2])}\n${formatSize(totalBytes(models))} in all`;
}
