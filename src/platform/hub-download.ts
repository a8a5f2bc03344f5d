/**
 * Receives files of a repository's revision into the cache that huggingface_hub uses too
 * (`models--owner--name/{blobs,refs,snapshots}`), so that neither downloads twice.
 */
import { copyFile, mkdir, rename, rm, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BitmillError, inputError, type Progress, silentProgress } from '../core/index.ts';
import type { CheckpointFiles } from '../hf/index.ts';
import { openFile, readSmallText } from './files.ts';
import { type HubFile, type HubRevision, isRevision } from './hub-api.ts';
import { type HubSettings, hubSettings } from './hub-request.ts';
import { INCOMPLETE, receiveBlob } from './hub-transfer.ts';

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

/** One job: a repository's revision and where it goes. */
export interface Pull {
  readonly settings: HubSettings;
  readonly repository: string;
  readonly revision: string;
  /** `models--owner--name` in the cache. */
  readonly storage: string;
  readonly progress: Progress;
}

export function snapshotFolder({ storage }: Pull, commit: string): string {
  return path.join(storage, 'snapshots', commit);
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
export class Download {
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
      const name = file.name.split('/').map(encodeURIComponent).join('/');
      const url = `${settings.endpoint}/${repository}/resolve/${commit}/${name}`;
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

/** Says which commit a revision is. Last, so that offline work never finds a revision that is not whole. */
export async function writeRef({ revision, storage }: Pull, commit: string): Promise<void> {
  if (revision === commit) return;
  const ref = path.join(storage, 'refs', revision);
  await mkdir(path.dirname(ref), { recursive: true });
  await writeFile(ref, commit);
}

/** The commit that the cache has for a revision; undefined where it has none. */
export async function cachedCommit({ revision, storage }: Pull): Promise<string | undefined> {
  const commit = COMMIT.test(revision) ? revision : await readSmallText(path.join(storage, 'refs', revision));
  return commit && COMMIT.test(commit.trim()) ? commit.trim() : undefined;
}

/** The folder of the cache: `HF_HUB_CACHE`, else `hub` in `HF_HOME`. */
export async function hubCacheFolder(): Promise<string> {
  const { getHFHubCachePath } = await import('@huggingface/hub');
  return getHFHubCachePath();
}

/** @throws input error: a revision that can be none. @param name as the user wrote it. */
export async function planPull(
  name: string,
  repository: string,
  revision: string,
  options: ResolveOptions,
): Promise<Pull> {
  if (!isRevision(revision)) throw inputError(name, `"${revision}" is not a branch, a tag or a commit`);
  const { revision: _, cacheFolder, progress = silentProgress, ...overrides } = options;
  const { getRepoFolderName } = await import('@huggingface/hub');
  const folder = getRepoFolderName({ name: repository, type: 'model' });
  const storage = path.join(cacheFolder ?? (await hubCacheFolder()), folder);
  return { settings: await hubSettings(overrides), repository, revision, storage, progress };
}
