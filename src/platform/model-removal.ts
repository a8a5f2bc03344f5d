/**
 * Removing models from the caches: first a plan of what would go, then the work. Nothing outside of the cache is touched,
 * wherever a link leads; a blob goes when the last link to it goes.
 */
import { readdir, realpath, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { inputError, usageError } from '../core/index.ts';
import { fileError, isErrno } from './files.ts';
import { parseRepository } from './hub-api.ts';
import { chooseGguf } from './hub-gguf.ts';
import {
  type CachedFile,
  type CachedModel,
  type CachedRevision,
  type CacheFolders,
  cachedModels,
} from './model-cache.ts';

export interface Removal {
  readonly model: CachedModel;
  /** Names of files that go, as the revision has them. */
  readonly names: readonly string[];
  /** Links, files and blobs to be removed, and folders with all that they hold. */
  readonly paths: readonly string[];
  /** Folders that go if they are empty then, the innermost first. */
  readonly emptied: readonly string[];
  /** Bytes that become free. */
  readonly freed: number;
}

/** `owner/name[@revision][:file]` or `phi3-tiny[:type]`. */
interface Wanted {
  readonly name: string;
  readonly revision?: string;
  readonly file?: string;
}

/** @throws usage error: nothing that names a model. */
function parseWanted(text: string): Wanted {
  const colon = text.indexOf(':');
  const [whole, file] = colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
  const repository = parseRepository(whole);
  const bare = /^[A-Za-z0-9][\w.-]*$/.test(whole) ? { repository: whole } : undefined;
  const found = repository ?? bare;
  if (!found || file === '') {
    throw usageError(
      `${text} names no model of the cache`,
      'expected owner/name[@revision][:file]; see bitmill list',
    );
  }
  const { repository: name, ...rest } = found;
  return { name, ...rest, ...(file === undefined ? {} : { file }) };
}

function isInside(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative);
}

/** @throws input error: a folder of the model is a link that leads out of the cache. */
async function checkInside(root: string, folder: string): Promise<void> {
  const [base, real] = [await realpath(root), await realpath(folder)];
  if (!isInside(base, real))
    throw inputError(folder, `leads out of the cache (${real}); nothing was removed`);
}

/** Bytes of everything in a folder. */
async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(path.join(entry.parentPath, entry.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function wholeModel(model: CachedModel, root: string): Promise<Removal> {
  const locks = path.join(root, '.locks', path.basename(model.folder));
  const names = new Set(model.revisions.flatMap(({ files }) => files.map(({ name }) => name)));
  return {
    model,
    names: [...names].sort(),
    paths: model.kind === 'repository' ? [model.folder, locks] : [model.folder],
    emptied: [],
    freed: await folderBytes(model.folder),
  };
}

/** The revisions that are meant. @throws input error: none of them. */
function revisionsOf(
  { name, revisions }: CachedModel,
  wanted: string | undefined,
): readonly CachedRevision[] {
  if (wanted === undefined) return revisions;
  const found = revisions.filter(
    (one) => one.refs.includes(wanted) || (wanted.length >= 7 && one.name.startsWith(wanted)),
  );
  if (found.length > 0) return found;
  const there = revisions.flatMap((one) => [one.name, ...one.refs]).join(', ');
  throw inputError(`${name}@${wanted}`, 'not in the cache', `there are: ${there || 'none'}`);
}

/** Files of a revision by name, or all shards of a type. */
function filesOf({ files }: CachedRevision, wanted: string | undefined): readonly CachedFile[] {
  if (wanted === undefined) return files;
  const named = files.filter(({ name }) => name === wanted);
  if (named.length > 0) return named;
  const chosen = chooseGguf(
    files.map(({ name }) => name),
    wanted,
  );
  return files.filter(({ name }) => chosen?.includes(name));
}

/** Folders of these files up to `top`, innermost first. */
function foldersUpTo(top: string, files: readonly CachedFile[]): string[] {
  const folders = new Set<string>();
  for (const { path: file } of files) {
    for (let at = path.dirname(file); isInside(top, at); at = path.dirname(at)) folders.add(at);
  }
  return [...folders].sort((a, b) => b.length - a.length);
}

/** Refs to revisions of which all files go. */
function deadRefs(model: CachedModel, gone: ReadonlySet<CachedFile>): string[] {
  const dead = model.revisions.filter(({ files }) => files.every((file) => gone.has(file)));
  return dead.flatMap(({ refs }) => refs.map((ref) => path.join(model.folder, 'refs', ...ref.split('/'))));
}

async function someFiles(model: CachedModel, gone: ReadonlySet<CachedFile>): Promise<Removal> {
  const folder = await realpath(model.folder);
  const all = model.revisions.flatMap(({ files }) => files);
  const kept = new Set(all.filter((file) => !gone.has(file)).map(({ content }) => content));
  const blobs = new Map<string, number>();
  for (const { content, bytes } of gone) {
    // What a link of the cache leads to elsewhere is not the cache's to remove.
    if (content !== undefined && !kept.has(content) && isInside(folder, content)) blobs.set(content, bytes);
  }
  const links = [...gone].map((file) => file.path);
  return {
    model,
    names: [...new Set([...gone].map(({ name }) => name))].sort(),
    paths: [...new Set([...links, ...blobs.keys(), ...deadRefs(model, gone)])],
    emptied: foldersUpTo(model.folder, [...gone]),
    freed: [...blobs.values()].reduce((sum, bytes) => sum + bytes, 0),
  };
}

/**
 * What removing a model would remove.
 * @param text `owner/name`, all of it; with `@revision` that one; with `:file` (a name or a type) that file, in all
 *   revisions unless one is named. An embedded model likewise; its files are made again when they are needed.
 * @throws usage error: no such form; input error: not in the cache, or outside of it.
 */
export async function planRemoval(text: string, folders: CacheFolders): Promise<Removal> {
  const wanted = parseWanted(text);
  const models = await cachedModels(folders);
  const model = models.find(({ name }) => name === wanted.name);
  if (!model)
    throw inputError(wanted.name, `not in the cache (${folders.hub})`, 'bitmill list shows what is');
  const root = model.kind === 'repository' ? folders.hub : folders.own;
  await checkInside(root, model.folder);
  if (wanted.revision === undefined && wanted.file === undefined) return wholeModel(model, root);
  const revisions = revisionsOf(model, wanted.revision);
  const gone = new Set(revisions.flatMap((revision) => filesOf(revision, wanted.file)));
  if (gone.size === 0) {
    const names = new Set(revisions.flatMap(({ files }) => files.map(({ name }) => name)));
    throw inputError(`${text}`, 'not in the cache', `there are: ${[...names].join(', ') || 'none'}`);
  }
  const isAll = model.revisions.every(({ files }) => files.every((file) => gone.has(file)));
  return isAll ? wholeModel(model, root) : someFiles(model, gone);
}

/** Does what was planned. @throws input error: a file that cannot be removed. */
export async function remove({ paths, emptied }: Removal): Promise<void> {
  for (const one of paths) {
    await rm(one, { recursive: true, force: true }).catch((error: unknown) => {
      throw fileError(one, error);
    });
  }
  for (const folder of emptied) {
    await rmdir(folder).catch((error: unknown) => {
      if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'ENOENT')) throw fileError(folder, error);
    });
  }
}
