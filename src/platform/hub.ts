/**
 * Models by name: a folder as it is, or a repository of a Hugging Face hub, received into the cache that
 * huggingface_hub uses too (`models--owner--name/{blobs,refs,snapshots}`), so that neither downloads twice.
 */
import { copyFile, mkdir, rename, rm, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BitmillError, inputError, type Progress, silentProgress } from '../core/index.ts';
import { type CheckpointFiles, CONFIG_FILE, INDEX_FILE, weightFiles } from '../hf/index.ts';
import { folderFiles } from './checkpoint.ts';
import { embeddedHint, embeddedModel } from './embedded.ts';
import { exists, fileError, openFile, readSmallText } from './files.ts';
import { type HubFile, type HubRevision, isRevision, parseRepository, readRevision } from './hub-api.ts';
import { HubError, type HubSettings, hubSettings } from './hub-request.ts';
import { INCOMPLETE, receiveBlob } from './hub-transfer.ts';

/** What is received beside the weights, where it is there. Pickles never are. */
const SMALL_FILES = [
  CONFIG_FILE,
  INDEX_FILE,
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'tokenizer.model',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
  'README.md',
  'LICENSE',
  'LICENSE.md',
  'LICENSE.txt',
];

/** Files received at a time. */
const PARALLEL = 4;

const COMMIT = /^[0-9a-f]{40}$/;

export interface ResolveOptions extends Partial<HubSettings> {
  /** Branch, tag or commit; default: what follows `@` in the name, else `main`. */
  readonly revision?: string;
  /** Cache folder; default: HF_HUB_CACHE, else `hub` in HF_HOME. */
  readonly cacheFolder?: string;
  readonly progress?: Progress;
}

/** A model that is here. */
export interface ResolvedModel {
  readonly folder: string;
  readonly files: CheckpointFiles;
  /** Where it came from, unless it was a folder. */
  readonly origin?: { readonly repository: string; readonly revision: string; readonly commit: string };
  /** Bytes that came over the network this time. */
  readonly received: number;
}

/** One job: a repository's revision and where it goes. */
interface Pull {
  readonly settings: HubSettings;
  readonly repository: string;
  readonly revision: string;
  /** `models--owner--name` in the cache. */
  readonly storage: string;
  readonly progress: Progress;
}

function snapshotFolder({ storage }: Pull, commit: string): string {
  return path.join(storage, 'snapshots', commit);
}

function resolved(pull: Pull, commit: string, received: number): ResolvedModel {
  const { repository, revision } = pull;
  const folder = snapshotFolder(pull, commit);
  const files = folderFiles(folder, repository);
  return { folder, files, origin: { repository, revision, commit }, received };
}

async function sizeOf(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ size }) => size,
    () => undefined,
  );
}

/** Puts a link to the blob at `target` in one step; a copy where the system allows no links. */
async function linkBlob(blob: string, target: string): Promise<void> {
  const fresh = `${target}.link-${process.pid}`;
  await rm(fresh, { force: true });
  try {
    await symlink(path.relative(path.dirname(target), blob), fresh);
  } catch {
    await copyFile(blob, fresh);
  }
  await rename(fresh, target);
}

/** A download under way: which files are here already, which come now. */
class Download {
  readonly #pull: Pull;
  readonly #listing: HubRevision;
  received = 0;

  constructor(pull: Pull, listing: HubRevision) {
    this.#pull = pull;
    this.#listing = listing;
  }

  /** The repository as checkpoint files; opening one receives it first. */
  remoteFiles(): CheckpointFiles {
    return {
      name: this.#pull.repository,
      list: async () => [...this.#listing.files.keys()],
      open: async (name) => {
        const file = this.#listing.files.get(name);
        if (!file) return undefined;
        await this.#receive(file, () => {});
        return openFile(this.#target(file));
      },
    };
  }

  async receiveAll(names: readonly string[]): Promise<void> {
    const { progress, repository } = this.#pull;
    const files: HubFile[] = [];
    for (const name of names) {
      const file = this.#listing.files.get(name);
      if (file && (await sizeOf(this.#target(file))) !== file.size) files.push(file);
    }
    if (files.length === 0) return;
    await this.#checkSpace(files);
    let done = 0;
    progress.start(repository, sum(files), 'bytes');
    const lane = async () => {
      for (let file = files.shift(); file; file = files.shift()) {
        const { name } = file;
        await this.#receive(file, (bytes) => {
          done += bytes;
          progress.update(done, name);
        });
      }
    };
    // After a failure the other lanes finish their file and start no other.
    const lanes = Array.from({ length: PARALLEL }, () =>
      lane().catch((error: unknown) => {
        files.length = 0;
        throw error;
      }),
    );
    try {
      for (const result of await Promise.allSettled(lanes)) {
        if (result.status === 'rejected') throw result.reason;
      }
    } finally {
      progress.stop();
    }
  }

  #target(file: HubFile): string {
    return path.join(snapshotFolder(this.#pull, this.#listing.commit), file.name);
  }

  #blob(file: HubFile): string {
    return path.join(this.#pull.storage, 'blobs', file.oid);
  }

  async #receive(file: HubFile, onBytes: (bytes: number) => void): Promise<void> {
    const { settings, repository } = this.#pull;
    const blob = this.#blob(file);
    const target = this.#target(file);
    if ((await sizeOf(target)) === file.size) return;
    await mkdir(path.dirname(blob), { recursive: true });
    await mkdir(path.dirname(target), { recursive: true });
    if ((await sizeOf(blob)) === file.size) onBytes(file.size);
    else {
      const before = (await sizeOf(blob + INCOMPLETE)) ?? 0;
      const { commit } = this.#listing;
      const url = `${settings.endpoint}/${repository}/resolve/${commit}/${encodeURIComponent(file.name)}`;
      await receiveBlob(settings, { what: `${repository}/${file.name}`, url, file }, blob, onBytes);
      this.received += Math.max(0, file.size - before);
    }
    await linkBlob(blob, target);
  }

  /** @throws resources error, before anything is received, where the disk has too little room. */
  async #checkSpace(files: readonly HubFile[]): Promise<void> {
    const { storage, repository } = this.#pull;
    let needed = 0;
    for (const file of files) {
      if ((await sizeOf(this.#blob(file))) === file.size) continue;
      needed += Math.max(0, file.size - ((await sizeOf(this.#blob(file) + INCOMPLETE)) ?? 0));
    }
    const { bavail, bsize } = await statfs(storage);
    if (needed <= bavail * bsize) return;
    const problem = `${needed} bytes to receive, ${bavail * bsize} bytes free in ${storage}`;
    throw new BitmillError('resources', `${repository}: ${problem}`, {
      hint: 'Free some space, or set HF_HUB_CACHE to a folder on another disk.',
    });
  }
}

function sum(files: readonly HubFile[]): number {
  return files.reduce((total, { size }) => total + size, 0);
}

async function download(pull: Pull): Promise<ResolvedModel> {
  const { settings, repository, revision, storage } = pull;
  const listing = await readRevision(settings, repository, revision);
  if (!listing.files.has(CONFIG_FILE)) {
    throw inputError(
      repository,
      `has no ${CONFIG_FILE}`,
      'It is not a checkpoint of the transformers layout.',
    );
  }
  try {
    await mkdir(storage, { recursive: true });
    const job = new Download(pull, listing);
    const weights = await weightFiles(job.remoteFiles());
    await job.receiveAll([...SMALL_FILES, ...weights]);
    // Last, so that offline work never finds a revision that is not whole.
    if (revision !== listing.commit) {
      const ref = path.join(storage, 'refs', revision);
      await mkdir(path.dirname(ref), { recursive: true });
      await writeFile(ref, listing.commit);
    }
    return resolved(pull, listing.commit, job.received);
  } catch (error) {
    throw error instanceof BitmillError ? error : fileError(storage, error);
  }
}

/** What the cache has of a revision; undefined where it has none of it. */
async function fromCache(pull: Pull): Promise<ResolvedModel | undefined> {
  const { revision, storage } = pull;
  const commit = COMMIT.test(revision) ? revision : await readSmallText(path.join(storage, 'refs', revision));
  if (!commit || !COMMIT.test(commit.trim())) return undefined;
  const model = resolved(pull, commit.trim(), 0);
  return (await exists(path.join(model.folder, CONFIG_FILE))) ? model : undefined;
}

async function offlineModel(pull: Pull): Promise<ResolvedModel> {
  const model = await fromCache(pull);
  if (!model) {
    throw new HubError(
      `${pull.repository}@${pull.revision}: not in the cache (${pull.storage}), and offline`,
      {
        hint: 'Unset HF_HUB_OFFLINE to receive it, or set HF_HOME to the cache that has it.',
      },
    );
  }
  await weightFiles(model.files);
  return model;
}

/** The hub; where it cannot be reached, a whole copy in the cache, with a warning. */
async function onlineModel(pull: Pull): Promise<ResolvedModel> {
  try {
    return await download(pull);
  } catch (error) {
    if (!(error instanceof HubError) || error.reached) throw error;
    const model = await fromCache(pull);
    if (!model) throw error;
    await weightFiles(model.files);
    pull.progress.warn(`${error.message}; using the copy in the cache`);
    return model;
  }
}

async function planPull(repository: string, revision: string, options: ResolveOptions): Promise<Pull> {
  const { revision: _, cacheFolder, progress = silentProgress, ...overrides } = options;
  const { getHFHubCachePath, getRepoFolderName } = await import('@huggingface/hub');
  const storage = path.join(
    cacheFolder ?? getHFHubCachePath(),
    getRepoFolderName({ name: repository, type: 'model' }),
  );
  return { settings: await hubSettings(overrides), repository, revision, storage, progress };
}

/**
 * Makes a model available in a folder.
 * @param name of an embedded model, an existing folder, or `owner/name[@revision]` of a hub.
 * @throws input error: neither a folder nor a repository id, or not a safetensors checkpoint; HubError (kind
 *   network): not reachable, refused, damaged, or offline and not in the cache; resources error: disk full.
 */
export async function resolveModel(name: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  const embedded = embeddedModel(name);
  if (embedded?.type !== undefined) {
    throw inputError(name, 'a checkpoint has no file type', `write ${embedded.name}`);
  }
  if (embedded) {
    return { folder: embedded.folder, files: folderFiles(embedded.folder, embedded.name), received: 0 };
  }
  const found = await stat(name).catch(() => undefined);
  if (found?.isDirectory()) return { folder: name, files: folderFiles(name), received: 0 };
  if (found) throw inputError(name, 'is a file; a checkpoint is a folder or a repository id owner/name');
  const id = parseRepository(name);
  if (!id) {
    const problem = 'no such folder, and not a repository id owner/name[@revision]';
    throw inputError(name, problem, embeddedHint(name));
  }
  const { repository } = id;
  const revision = options.revision ?? id.revision ?? 'main';
  if (!isRevision(revision)) throw inputError(name, `"${revision}" is not a branch, a tag or a commit`);
  const pull = await planPull(repository, revision, options);
  return pull.settings.offline ? offlineModel(pull) : onlineModel(pull);
}
