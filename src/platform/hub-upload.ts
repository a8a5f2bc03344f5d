/**
 * Files into a repository of a Hugging Face hub. What the repository has already is not sent; the rest goes in commits
 * of bounded size in the order given, so an interrupted upload is continued by doing it again, and a file that
 * speaks of others (the card) appears with or after them.
 *
 * Large files go the way of Git LFS (one request, or parts), which the hub takes for every repository. Its newer way,
 * Xet, is left alone: the library does it in JavaScript on one thread, and there is no retry within it.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Progress } from '../core/index.ts';
import { BitmillError, type Executor, inlineExecutor, inputError, silentProgress } from '../core/index.ts';
import { fileError } from './files.ts';
import { hashFile } from './hash-job.ts';
import { type HubFile, isRevision, parseRepository, readRevision } from './hub-api.ts';
import { HubError, type HubSettings, hubSettings } from './hub-request.ts';
import { Sender } from './hub-send.ts';
import { fileIdentity } from './workspace.ts';

/** Bounds of one commit: the hub advises at most about 100 files, and addresses for large files expire. */
const COMMIT_FILES = 50;
const COMMIT_BYTES = 10e9;

/** A file to send. */
export interface UploadFile {
  /** Path in the repository, folders with `/`. */
  readonly name: string;
  /** Path here. */
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  /** Where it is known already. */
  readonly sha256?: string;
}

export interface UploadOptions extends Partial<HubSettings> {
  /** Branch; made where it is missing. Default: main. */
  readonly revision?: string;
  /** Of a repository that has to be made. */
  readonly private?: boolean;
  /** First line of the commits. */
  readonly message?: string;
  /** Proposes the files instead of adding them. */
  readonly createPr?: boolean;
  /** Only says what would be sent. */
  readonly dryRun?: boolean;
  readonly progress?: Progress;
  /** Hashes files here. */
  readonly executor?: Executor;
}

export interface Uploaded {
  readonly repository: string;
  readonly revision: string;
  /** Page of the repository. */
  readonly url: string;
  /** The repository was made (of a dry run: would be). */
  readonly created: boolean;
  readonly sent: readonly UploadFile[];
  /** There already, byte for byte. */
  readonly skipped: readonly UploadFile[];
  readonly commits: readonly { readonly oid: string; readonly url: string }[];
  readonly pullRequest?: string;
}

/** An upload under way. */
interface Job {
  readonly settings: HubSettings;
  readonly repository: string;
  readonly revision: string;
  readonly options: UploadOptions;
  readonly progress: Progress;
}

/** What stands at the destination. */
interface Destination {
  readonly repositoryExists: boolean;
  readonly branchExists: boolean;
  readonly files: ReadonlyMap<string, HubFile>;
}

/** Errors of the library as ours. */
function translated(repository: string, error: unknown): BitmillError {
  if (error instanceof BitmillError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new HubError(`${repository}: the hub's answer makes no sense: ${reason}`, { cause: error });
}

async function lookAt(job: Job): Promise<Destination> {
  const { settings, repository, revision, options, progress } = job;
  try {
    const { files, isPrivate } = await readRevision(settings, repository, revision, true);
    if (options.private && !isPrivate)
      progress.warn(`${repository} exists and is public; --private leaves it so`);
    return { repositoryExists: true, branchExists: true, files };
  } catch (error) {
    if (!(error instanceof HubError) || error.status !== 404) throw error;
    const noBranch = error.code === 'RevisionNotFound';
    return { repositoryExists: noBranch, branchExists: false, files: new Map() };
  }
}

/** Makes repository and branch where they are missing; one that another process just made will do. */
async function prepare(job: Job, destination: Destination): Promise<void> {
  const { settings, repository, revision, options } = job;
  const { createBranch, createRepo } = await import('@huggingface/hub');
  const { fetch } = new Sender(settings, repository);
  const repo = { type: 'model', name: repository } as const;
  const hubUrl = settings.endpoint;
  const unlessThere = (error: unknown): void => {
    if (!(error instanceof HubError) || error.status !== 409) throw translated(repository, error);
  };
  if (!destination.repositoryExists) {
    const access = { accessToken: settings.token ?? '' };
    const visibility = options.private ? 'private' : undefined;
    await createRepo({ repo, hubUrl, fetch, ...access, ...(visibility ? { visibility } : {}) }).catch(
      unlessThere,
    );
  }
  if (!destination.branchExists && revision !== 'main') {
    await createBranch({ repo, branch: revision, hubUrl, fetch }).catch(unlessThere);
  }
}

/** git's name of a file's bytes. */
async function gitSha1(file: string, size: number): Promise<string> {
  const hash = createHash('sha1').update(`blob ${size}\0`);
  try {
    for await (const bytes of createReadStream(file)) hash.update(bytes);
  } catch (error) {
    throw fileError(file, error);
  }
  return hash.digest('hex');
}

/** Whether the repository has the file, byte for byte. */
async function isThere(
  { name, file, size, sha256 }: UploadFile,
  there: ReadonlyMap<string, HubFile>,
  executor: Executor,
): Promise<boolean> {
  const remote = there.get(name);
  if (remote?.size !== size) return false;
  if (remote.checksum === 'git-sha1') return (await gitSha1(file, size)) === remote.oid;
  return (sha256 ?? (await hashFile(file, executor))) === remote.oid;
}

function bytesOf(files: readonly UploadFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** In order, bounded; a file above the bound is a commit of its own. */
function commitsOf(
  files: readonly UploadFile[],
  mostFiles = COMMIT_FILES,
  mostBytes = COMMIT_BYTES,
): UploadFile[][] {
  const commits: UploadFile[][] = [];
  for (const file of files) {
    const last = commits.at(-1);
    if (last && last.length < mostFiles && bytesOf(last) + file.size <= mostBytes) last.push(file);
    else commits.push([file]);
  }
  return commits;
}

/** Bytes of each file that are on the hub, for the bar. */
class Tally {
  readonly #progress: Progress;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #done = new Map<string, number>();

  constructor(progress: Progress, files: readonly UploadFile[]) {
    this.#progress = progress;
    this.#sizes = new Map(files.map(({ name, size }) => [name, size]));
  }

  add(name: string, bytes: number): void {
    this.#set(name, (this.#done.get(name) ?? 0) + bytes);
  }

  /** The hub has it. */
  finish(name: string): void {
    this.#set(name, this.#sizes.get(name) ?? 0);
  }

  #set(name: string, bytes: number): void {
    this.#done.set(name, bytes);
    this.#progress.update(
      [...this.#done.values()].reduce((sum, done) => sum + done, 0),
      name,
    );
  }
}

/** Where the next commit goes: a branch, or a pull request that is opened with it. */
interface Target {
  readonly branch: string;
  readonly opensPr: boolean;
}

async function commit(
  job: Job,
  files: readonly UploadFile[],
  title: string,
  { branch, opensPr }: Target,
  tally: Tally,
) {
  const { settings, repository } = job;
  const { commitIter } = await import('@huggingface/hub');
  const paths = files.map(({ file }) => file);
  const before = await fileIdentity(paths);
  const sender = new Sender(settings, repository, (name, bytes) => tally.add(name, bytes));
  const stop = new AbortController();
  const events = commitIter({
    repo: { type: 'model', name: repository },
    operations: files.map(({ name, file }) => ({
      operation: 'addOrUpdate',
      path: name,
      content: pathToFileURL(file),
    })),
    title,
    branch,
    isPullRequest: opensPr,
    hubUrl: settings.endpoint,
    fetch: sender.fetch,
    abortSignal: stop.signal,
    useXet: false,
  });
  try {
    for (;;) {
      const step = await sender.orFailure(events.next());
      if (step.done) {
        for (const { name } of files) tally.finish(name);
        if (!step.value?.commit?.oid) throw new HubError(`${repository}: the hub names no commit`);
        return step.value;
      }
      const event = step.value;
      if (event.event === 'fileProgress' && event.state === 'uploading' && event.progress === 1)
        tally.finish(event.path);
      if (event.event === 'phase' && event.phase === 'committing' && (await fileIdentity(paths)) !== before)
        throw inputError(repository, 'files changed here while they were sent', 'run the command again');
    }
  } catch (error) {
    stop.abort();
    throw translated(repository, error);
  }
}

/** Branch of a pull request by the address of its page. */
function branchOfPr(repository: string, url: string): string {
  const number = /\/discussions\/(\d+)/.exec(url)?.[1];
  if (number) return `refs/pr/${number}`;
  throw new HubError(`${repository}: the hub gives "${url}" as the page of a pull request`);
}

/** With the way to go on, where a pull request was opened already. */
function withPrHint(error: unknown, branch: string): unknown {
  if (!(error instanceof BitmillError)) return error;
  const hint = `Go on with --revision ${branch} in place of --create-pr. ${error.hint ?? ''}`.trim();
  return new BitmillError(error.kind, error.message, { hint, cause: error });
}

async function sendAll(job: Job, files: readonly UploadFile[]) {
  const { repository, revision, options, progress } = job;
  const parts = commitsOf(files);
  const message = options.message ?? `Upload ${files.length} ${files.length === 1 ? 'file' : 'files'}`;
  const commits: { oid: string; url: string }[] = [];
  let target: Target = { branch: revision, opensPr: options.createPr === true };
  let pullRequest: string | undefined;
  progress.start(repository, bytesOf(files), 'bytes');
  const tally = new Tally(progress, files);
  try {
    for (const [index, part] of parts.entries()) {
      const title = parts.length > 1 ? `${message} (${index + 1} of ${parts.length})` : message;
      const made = await commit(job, part, title, target, tally);
      commits.push({ oid: made.commit.oid, url: made.commit.url });
      if (!target.opensPr) continue;
      pullRequest = made.pullRequestUrl;
      target = { branch: branchOfPr(repository, pullRequest ?? ''), opensPr: false };
    }
  } catch (error) {
    throw pullRequest === undefined ? error : withPrHint(error, target.branch);
  } finally {
    progress.stop();
  }
  return { commits, ...(pullRequest === undefined ? {} : { pullRequest }) };
}

async function planJob(name: string, options: UploadOptions): Promise<Job> {
  const id = parseRepository(name);
  if (!id || id.revision !== undefined) throw inputError(name, 'is not a repository id owner/name');
  const {
    revision = 'main',
    progress = silentProgress,
    private: _private,
    message: _message,
    createPr: _createPr,
    dryRun: _dryRun,
    executor: _executor,
    ...overrides
  } = options;
  if (!isRevision(revision)) throw inputError(name, `"${revision}" is not a branch`);
  return { settings: await hubSettings(overrides), repository: id.repository, revision, options, progress };
}

/**
 * Sends files to a repository, which is made where it is missing.
 * @param files in the order in which they may appear: what speaks of others after them.
 * @throws HubError (kind network): no token, not reachable, refused; input error: files that change meanwhile.
 */
export async function uploadFiles(
  name: string,
  files: readonly UploadFile[],
  options: UploadOptions = {},
): Promise<Uploaded> {
  const job = await planJob(name, options);
  const { settings, repository, revision, progress } = job;
  if (settings.offline) {
    throw new HubError(`${repository}: offline`, { hint: 'Unset HF_HUB_OFFLINE to upload.' });
  }
  if (!settings.token && !options.dryRun) {
    throw new HubError(`${repository}: no token to write with`, {
      hint: `Set HF_TOKEN to a token with the right to write (${settings.endpoint}/settings/tokens), or save it with hf auth login.`,
    });
  }
  const destination = await lookAt(job);
  const executor = options.executor ?? inlineExecutor;
  const [sent, skipped]: [UploadFile[], UploadFile[]] = [[], []];
  progress.start('comparing', files.length, 'files');
  for (const [index, file] of files.entries()) {
    ((await isThere(file, destination.files, executor)) ? skipped : sent).push(file);
    progress.update(index + 1, file.name);
  }
  progress.stop();
  const created = !destination.repositoryExists;
  const url = `${settings.endpoint}/${repository}`;
  const outcome = { repository, revision, url, created, sent, skipped };
  if (options.dryRun) return { ...outcome, commits: [] };
  await prepare(job, destination);
  if (sent.length === 0) return { ...outcome, commits: [] };
  return { ...outcome, ...(await sendAll(job, sent)) };
}
