/**
 * What the caches hold: repositories in the layout of huggingface_hub (`models--owner--name/{blobs,refs,snapshots}`, a
 * file of a snapshot is a link to a blob), and the files that were made of embedded models.
 */
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import { EMBEDDED_MODELS } from './embedded.ts';
import { fileError, isErrno, readSmallText } from './files.ts';
import { hubCacheFolder } from './hub-download.ts';

export interface CachedFile {
  /** In its revision; of a file in a folder with `/`. */
  readonly name: string;
  /** Where its name stands: a link, or the file itself where the system allows no links. */
  readonly path: string;
  /** Where its bytes are; undefined: a link that leads nowhere. */
  readonly content: string | undefined;
  readonly bytes: number;
  /** When it was read last, as far as the file system says; ms since 1970. */
  readonly used: number;
}

export interface CachedRevision {
  /** Commit of a repository; of an embedded model the hash of its files and the version of bitmill. */
  readonly name: string;
  readonly folder: string;
  /** Branches and tags that were asked for and are this commit. */
  readonly refs: readonly string[];
  readonly files: readonly CachedFile[];
}

export interface CachedModel {
  readonly kind: 'repository' | 'embedded';
  /** `owner/name`, or the name of an embedded model. */
  readonly name: string;
  readonly folder: string;
  readonly revisions: readonly CachedRevision[];
}

/** Where models are kept. */
export interface CacheFolders {
  /** Hugging Face's. */
  readonly hub: string;
  /** bitmill's own. */
  readonly own: string;
}

export async function cacheFolders(): Promise<CacheFolders> {
  return { hub: await hubCacheFolder(), own: cacheFolder() };
}

/** How repositories of models are called in the cache; others are data sets and spaces. */
const MODELS = 'models--';

/** Entries of a folder; none where it is missing. @throws input error: it cannot be read. */
async function entriesOf(folder: string, recursive = false) {
  try {
    return await readdir(folder, { withFileTypes: true, recursive });
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
    throw fileError(folder, error);
  }
}

/** Folders in a folder, by name; links to folders are none. */
export async function foldersOf(folder: string): Promise<string[]> {
  const entries = await entriesOf(folder);
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

async function readFileOf(folder: string, file: string): Promise<CachedFile> {
  const name = path.relative(folder, file).split(path.sep).join('/');
  const content = await realpath(file).catch(() => undefined);
  const info = content === undefined ? await lstat(file) : await stat(content);
  const bytes = content === undefined ? 0 : info.size;
  return { name, path: file, content, bytes, used: Math.max(info.atimeMs, info.mtimeMs) };
}

/** Files and links below a folder, by name. */
async function filesOf(folder: string): Promise<CachedFile[]> {
  const entries = await entriesOf(folder, true);
  const files = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink());
  const read = await Promise.all(
    files.map((entry) => readFileOf(folder, path.join(entry.parentPath, entry.name))),
  );
  return read.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Commits by ref; a ref can have slashes (`refs/pr/1`). */
async function refsOf(storage: string): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  for (const { name, path: file } of await filesOf(path.join(storage, 'refs'))) {
    const commit = await readSmallText(file);
    if (commit) refs.set(name, commit.trim());
  }
  return refs;
}

async function readRepository(hub: string, folderName: string): Promise<CachedModel> {
  const folder = path.join(hub, folderName);
  const refs = await refsOf(folder);
  const snapshots = path.join(folder, 'snapshots');
  const revisions: CachedRevision[] = [];
  for (const name of await foldersOf(snapshots)) {
    const own = path.join(snapshots, name);
    const names = [...refs].filter(([, commit]) => commit === name).map(([ref]) => ref);
    revisions.push({ name, folder: own, refs: names, files: await filesOf(own) });
  }
  const name = folderName.slice(MODELS.length).replaceAll('--', '/');
  return { kind: 'repository', name, folder, revisions };
}

async function readEmbedded(own: string, name: string): Promise<CachedModel> {
  const folder = path.join(own, name);
  const revisions: CachedRevision[] = [];
  for (const version of await foldersOf(folder)) {
    const at = path.join(folder, version);
    revisions.push({ name: version, folder: at, refs: [], files: await filesOf(at) });
  }
  return { kind: 'embedded', name, folder, revisions };
}

/** All models of the caches, by name; those of which nothing is there are left out. */
export async function cachedModels({ hub, own }: CacheFolders): Promise<CachedModel[]> {
  const repositories = (await foldersOf(hub)).filter((name) => name.startsWith(MODELS));
  const models = await Promise.all([
    ...repositories.map((name) => readRepository(hub, name)),
    ...[...EMBEDDED_MODELS.keys()].map((name) => readEmbedded(own, name)),
  ]);
  const there = models.filter(({ kind, revisions }) => kind === 'repository' || revisions.length > 0);
  return there.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Bytes on disk of files, each content once. */
export function bytesOnDisk(files: readonly CachedFile[]): number {
  const contents = new Map(files.map(({ content, bytes }) => [content, bytes]));
  return [...contents.values()].reduce((sum, bytes) => sum + bytes, 0);
}
