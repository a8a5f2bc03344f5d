/** Which files of a folder are published, in which order, and whether they are the ones that `make` wrote. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { BitmillError, type Executor, inputError, type Progress, usageError } from '../core/index.ts';
import { fileError, hashFile, isFolder, PARTIAL, type UploadFile } from '../platform/index.ts';
import { MANIFEST } from '../quantize/index.ts';
import { type QuantSet, SET_FILE, type SetFile } from '../report/index.ts';
import { matcher } from './globs.ts';
import { readSet } from './set-file.ts';

const CARD = 'README.md';
/** Folder of the card's pictures. */
const IMAGES = 'images';

/** Written last: it speaks of all others. */
const LAST = [MANIFEST, SET_FILE, CARD];

/** Most files of one upload: a folder with more is hardly meant. */
const MOST_FILES = 10_000;

/** Names of work that is not whole or not for others. */
const UNFINISHED = [PARTIAL, '.partial.gguf', '.incomplete'];

export interface Selection {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** What is published. */
export interface Publication {
  /** In the order in which they may appear. */
  readonly files: readonly UploadFile[];
  /** Of a set made by `bitmill make`. */
  readonly set: QuantSet | undefined;
}

/** The files that a set names. */
function namedFiles({ model, quants, imatrix }: QuantSet): SetFile[] {
  return [...quants.flatMap(({ files }) => files), ...model.files, ...(imatrix ? [imatrix.file] : [])];
}

function isPublic(name: string): boolean {
  return !name.startsWith('.') && !UNFINISHED.some((suffix) => name.endsWith(suffix));
}

/** Files of a folder and its folders, by their paths within; links to folders are not followed. */
async function walk(folder: string, within = ''): Promise<string[]> {
  const entries = await readdir(path.join(folder, within), { withFileTypes: true }).catch(
    (error: unknown) => {
      throw fileError(path.join(folder, within), error);
    },
  );
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!isPublic(entry.name)) continue;
    const name = within === '' ? entry.name : `${within}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await walk(folder, name)));
    else if (!(await isFolder(path.join(folder, name)))) found.push(name);
    if (found.length > MOST_FILES) {
      throw usageError(
        `${folder} has more than ${MOST_FILES} files`,
        '--include picks the ones that are meant',
      );
    }
  }
  return found;
}

/** What speaks of others comes last; otherwise as they were. */
function inOrder(files: readonly UploadFile[]): UploadFile[] {
  const place = ({ name }: UploadFile) => LAST.indexOf(name);
  return [...files].sort((a, b) => place(a) - place(b));
}

async function sizeOf(file: string): Promise<number | undefined> {
  const info = await stat(file).catch(() => undefined);
  return info?.isFile() ? info.size : undefined;
}

/** Names in a set's folder that are published beside those that it names itself. */
async function companions(folder: string): Promise<string[]> {
  const images = (await isFolder(path.join(folder, IMAGES))) ? await walk(folder, IMAGES) : [];
  const present: string[] = [];
  for (const name of LAST) if ((await sizeOf(path.join(folder, name))) !== undefined) present.push(name);
  return [...images, ...present];
}

/**
 * The files of a folder that are published: of a set those that it names, its card, pictures and manifests; of any
 * other folder all but hidden and unfinished ones.
 * @throws check error: a file that the set names is missing; input error: no such folder.
 */
export async function publicationOf(folder: string, { include, exclude }: Selection): Promise<Publication> {
  if (!(await isFolder(folder))) {
    throw inputError(
      folder,
      (await sizeOf(folder)) === undefined ? 'no such folder' : 'is a file, not a folder',
    );
  }
  const [included, excluded] = [matcher(include), matcher(exclude)];
  const wanted = (name: string) => (include.length === 0 || included(name)) && !excluded(name);
  const isSet = (await sizeOf(path.join(folder, SET_FILE))) !== undefined;
  const set = isSet ? await readSet(folder) : undefined;
  const named = new Map(set ? namedFiles(set).map((file) => [file.name, file]) : []);
  const names = set ? [...named.keys(), ...(await companions(folder))] : await walk(folder);
  const files: UploadFile[] = [];
  for (const name of new Set(names.filter(wanted))) {
    const file = path.join(folder, name);
    const size = await sizeOf(file);
    const entry = named.get(name);
    if (size === undefined && entry) throw missing(file, entry);
    if (size === undefined) throw inputError(file, 'is not a regular file');
    files.push({ name, file, size });
  }
  if (files.length === 0) throw inputError(folder, 'there is nothing in it to upload');
  return { files: inOrder(files), set };
}

function missing(file: string, { bytes }: SetFile): BitmillError {
  const hint = 'bitmill make makes it again; --exclude leaves it out';
  return new BitmillError('check', `${file}: is missing; ${SET_FILE} names it with ${bytes} bytes`, { hint });
}

function changed(file: string, what: string, found: string, expected: string): BitmillError {
  const hint = 'Make the set again (bitmill make), or send it as it is with --no-verify.';
  return new BitmillError('check', `${file}: ${what} ${found}, ${SET_FILE} says ${expected}`, { hint });
}

/**
 * Compares the files with what the set says of them. @returns the files, with their hashes.
 * @throws check error: another size or another SHA-256.
 */
export async function verified(
  { files, set }: Publication,
  executor: Executor,
  progress: Progress,
): Promise<UploadFile[]> {
  const named = new Map(set ? namedFiles(set).map((file) => [file.name, file]) : []);
  const known = files.filter(({ name }) => named.has(name));
  for (const { name, file, size } of known) {
    const expected = named.get(name)?.bytes;
    if (expected !== size) throw changed(file, 'size', `${size} bytes`, `${expected}`);
  }
  progress.start(
    'checking',
    known.reduce((sum, { size }) => sum + size, 0),
    'bytes',
  );
  let done = 0;
  try {
    const hashes = new Map<string, string>();
    await Promise.all(
      known.map(async ({ name, file, size }) => {
        const found = await hashFile(file, executor);
        const expected = named.get(name)?.sha256 ?? '';
        if (found !== expected) throw changed(file, 'SHA-256', found, expected);
        hashes.set(name, found);
        done += size;
        progress.update(done, name);
      }),
    );
    return files.map((file) => {
      const sha256 = hashes.get(file.name);
      return sha256 === undefined ? file : { ...file, sha256 };
    });
  } finally {
    progress.stop();
  }
}

/** Files that the set's card speaks of and that are in neither list. */
export function unsent(set: QuantSet, present: readonly UploadFile[]): string[] {
  const names = new Set(present.map(({ name }) => name));
  return names.has(CARD) ? namedFiles(set).flatMap(({ name }) => (names.has(name) ? [] : [name])) : [];
}

/** Whether the card is among them. */
export function hasCard(files: readonly UploadFile[]): boolean {
  return files.some(({ name }) => name === CARD);
}
