/** What a Hugging Face hub says about a repository: names, the commit of a revision, its files. */
import { BitmillError } from '../core/index.ts';
import { HubError, type HubSettings, requestOnce, withRetries } from './hub-request.ts';

/** A file of a repository's revision. */
export interface HubFile {
  /** Of a file in a folder with `/`, where folders are listed. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content (large files), or git's SHA-1 of the blob; lower-case hex. */
  readonly oid: string;
  readonly checksum: 'sha256' | 'git-sha1';
}

export interface HubRevision {
  readonly commit: string;
  readonly files: ReadonlyMap<string, HubFile>;
  readonly isPrivate: boolean;
}

/** Most requests for one listing (1000 files each): a hub that never ends its list is cut off. */
const MAX_PAGES = 100;

const REPOSITORY = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:@(.+))?$/;
const REVISION = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/;

/** `owner/name[@revision]` in its parts; undefined for what is no repository id. */
export function parseRepository(name: string): { repository: string; revision?: string } | undefined {
  const [, repository, revision] = REPOSITORY.exec(name) ?? [];
  if (!repository || repository.includes('..') || repository.includes('--')) return undefined;
  return { repository, ...(revision === undefined ? {} : { revision }) };
}

/** Whether a text can be a branch, a tag or a commit. */
export function isRevision(name: string): boolean {
  return REVISION.test(name);
}

function isFileName(name: unknown): boolean {
  return typeof name === 'string' && !/[/\\\0]/.test(name) && !/^\.{0,2}$/.test(name);
}

/** One entry of the hub's listing, checked; undefined for folders. */
function readEntry(
  what: string,
  entry: { type: string; path: string; size: number; oid?: string; lfs?: { oid: string; size: number } },
  folders: boolean,
): HubFile | undefined {
  const names = typeof entry.path === 'string' && folders ? entry.path.split('/') : [entry.path];
  if (!names.every(isFileName)) {
    throw new HubError(`${what}: the hub lists ${JSON.stringify(entry.path)}, which is not a file name`);
  }
  if (entry.type !== 'file') return undefined;
  const { size, oid } = entry.lfs ?? entry;
  const checksum = entry.lfs ? 'sha256' : 'git-sha1';
  const digits = checksum === 'sha256' ? 64 : 40;
  if (!Number.isSafeInteger(size) || size < 0 || typeof oid !== 'string' || !/^[0-9a-f]+$/.test(oid)) {
    throw new HubError(`${what}: the hub lists "${entry.path}" without a proper size and checksum`);
  }
  if (oid.length !== digits) {
    throw new HubError(
      `${what}: the hub lists "${entry.path}" with a checksum of ${oid.length} digits, not ${digits}`,
    );
  }
  return { name: entry.path, size, oid, checksum };
}

/**
 * The commit that a revision names and the files in the repository's top folder.
 * @param revision branch, tag or commit.
 * @param folders also the files in folders.
 * @throws HubError: not reachable, no such repository, gated, or an answer that makes no sense.
 */
export async function readRevision(
  settings: HubSettings,
  repository: string,
  revision: string,
  folders = false,
): Promise<HubRevision> {
  const { listFiles, modelInfo } = await import('@huggingface/hub');
  const what = `${repository}@${revision}`;
  let requests = 0;
  const hubUrl = settings.endpoint;
  const throughUs = ((url: string, init?: RequestInit) => {
    if (++requests > MAX_PAGES) throw new HubError(`${what}: the hub's list of files does not end`);
    return withRetries(settings, () =>
      requestOnce(settings, what, url, { ...init, signal: AbortSignal.timeout(settings.stallMs) }),
    );
  }) as typeof fetch;
  const files = new Map<string, HubFile>();
  try {
    const info = await modelInfo({
      name: repository,
      revision,
      additionalFields: ['sha'],
      hubUrl,
      fetch: throughUs,
    });
    const commit = info.sha;
    if (!/^[0-9a-f]{40}$/.test(commit)) throw new HubError(`${what}: the hub gives "${commit}" as commit`);
    const repo = { repo: repository, revision: commit, recursive: folders, hubUrl, fetch: throughUs };
    for await (const entry of listFiles(repo)) {
      const file = readEntry(what, entry, folders);
      if (file) files.set(file.name, file);
    }
    return { commit, files, isPrivate: info.private === true };
  } catch (error) {
    if (error instanceof BitmillError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new HubError(`${what}: the hub's answer makes no sense: ${reason}`, { cause: error });
  }
}
