/**
 * Embedded models as GGUF files: made when they are first asked for, kept in a cache. A file of the cache is a pure
 * function of the checkpoint and the program's version, which its folder's name says; what other versions left is not
 * looked at. Every process works in a folder of its own and gives what is whole its name in one step, so two at once
 * do the work twice and end in the same bytes.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Executor, inputError, type Progress, usageError } from '../core/index.ts';
import { FILE_TYPE_NAMES, type FileTypeName, fileTypeByName } from '../quantize/index.ts';
import { cacheFolder } from './cache-folder.ts';
import { folderFiles } from './checkpoint.ts';
import type { EmbeddedName } from './embedded.ts';
import { EmbeddedMaker, ORIGINAL, WORK } from './embedded-maker.ts';
import { exists, fileError, isFolder } from './files.ts';
import { hashFile } from './hash-job.ts';
import { VERSION } from './version.ts';
import { workerPool } from './workers.ts';
import { sha256 } from './workspace.ts';

/** What a command gets of a model that is named without a type. */
const DEFAULT_TYPES = {
  /** To quantize it or to measure what matters in it: as it was trained. */
  original: ORIGINAL,
  /** For everything else: a small model loses next to nothing in it. */
  quant: 'Q8_0',
} as const satisfies Record<string, FileTypeName>;

export type ModelForm = keyof typeof DEFAULT_TYPES;

/** What a killed process left is removed after so long. */
const WORK_AGE_MS = 3_600_000;

/** One hash of the checkpoint's files, by name and content. */
async function contentHash(folder: string, executor: Executor): Promise<string> {
  const names: string[] = [];
  for (const name of await folderFiles(folder).list()) {
    if ((await stat(path.join(folder, name))).isFile() && !name.endsWith('.md')) names.push(name);
  }
  if (!names.includes('config.json'))
    throw inputError(folder, 'has no config.json', 'The package is not whole.');
  const hashes = await Promise.all(names.map((name) => hashFile(path.join(folder, name), executor)));
  return sha256()
    .update(new TextEncoder().encode(JSON.stringify(names.map((name, i) => [name, hashes[i]]))))
    .hex();
}

async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(WORK)) continue;
    const info = await stat(path.join(folder, name)).catch(() => undefined);
    if (info && Date.now() - info.mtimeMs > WORK_AGE_MS)
      await rm(path.join(folder, name), { recursive: true, force: true });
  }
}

/** The type that a name asks for. @throws usage error: there is no such type. */
function typeOf({ name, type }: EmbeddedName, form: ModelForm): FileTypeName {
  const found = type === undefined ? DEFAULT_TYPES[form] : fileTypeByName(type);
  if (found !== undefined) return found;
  throw usageError(`${name}:${type}: unknown file type "${type}"`, `known: ${FILE_TYPE_NAMES.join(', ')}`);
}

export interface EmbeddedOptions {
  /** What is wanted where the name has no type; default `quant`. */
  readonly form?: ModelForm;
  readonly progress: Progress;
  /** Hears that a file has to be made first. */
  readonly note?: (message: string) => void;
}

/**
 * Path of an embedded model's file in the cache, which is made where it is missing.
 * @throws usage error: no such type.
 */
export async function embeddedPath(
  model: EmbeddedName,
  { form = 'quant', progress, note = () => {} }: EmbeddedOptions,
): Promise<string> {
  const type = typeOf(model, form);
  if (!(await isFolder(model.folder))) throw inputError(model.name, `${model.folder} is missing`);
  const executor = workerPool();
  try {
    const hash = await contentHash(model.folder, executor);
    const folder = path.join(cacheFolder(), model.name, `${hash.slice(0, 16)}-${VERSION}`);
    // The models are ours: what conversion warns of is known.
    const maker = new EmbeddedMaker(model, folder, executor, { ...progress, warn: () => {} });
    if (!(await exists(maker.path(type)))) {
      await mkdir(folder, { recursive: true });
      await sweep(folder);
      note(`making ${model.name} as ${type}, kept in ${folder}`);
    }
    return await maker.file(type);
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? fileError(cacheFolder(), error) : error;
  } finally {
    await executor.close();
  }
}
