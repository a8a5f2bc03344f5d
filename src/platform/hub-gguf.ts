/** GGUF files of a repository: which one is meant, and its place in the cache, received first where it is missing. */
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { BitmillError, inputError } from '../core/index.ts';
import { parseShardName, shardName } from '../gguf/index.ts';
import { exists, fileError } from './files.ts';
import { parseRepository, readRevision } from './hub-api.ts';
import {
  cachedCommit,
  Download,
  type Pull,
  planPull,
  type ResolveOptions,
  snapshotFolder,
  writeRef,
} from './hub-download.ts';
import { HubError } from './hub-request.ts';

/** A repository's file as a user names it: `owner/name[@revision][:Q4_K_M]`, or with a file's name behind the colon. */
export interface GgufName {
  readonly repository: string;
  readonly revision?: string;
  readonly file?: string;
}

export interface GgufOptions extends ResolveOptions {
  /** File type or file name; default: what follows `:` in the name. */
  readonly file?: string | undefined;
  /** Ask the hub even where the cache has it, for a newer one. Default false. */
  readonly fresh?: boolean;
}

export interface ResolvedGguf {
  /** Path of the first shard. */
  readonly path: string;
  /** The revision's folder in the cache. */
  readonly folder: string;
  /** Names in the repository, all shards. */
  readonly files: readonly string[];
  readonly origin: { readonly repository: string; readonly revision: string; readonly commit: string };
  /** Bytes that came over the network this time. */
  readonly received: number;
}

/** Where no type is asked for, the first of these that a repository has: small and still good before large. */
const PREFERRED = [
  'Q4_K_M',
  'Q4_K_S',
  'IQ4_XS',
  'Q4_0',
  'Q5_K_M',
  'Q5_K_S',
  'Q6_K',
  'Q8_0',
  'BF16',
  'F16',
  'F32',
];

/** Files that end like models and are none: parts for pictures, importance matrices. */
const NO_MODEL = /(^|[/._-])(mmproj|imatrix)/i;

/** @returns undefined for what names no repository. */
export function parseGgufName(text: string): GgufName | undefined {
  const colon = text.indexOf(':');
  const found = parseRepository(colon < 0 ? text : text.slice(0, colon));
  if (!found || colon === text.length - 1) return undefined;
  return { ...found, ...(colon < 0 ? {} : { file: text.slice(colon + 1) }) };
}

/** Whether a name ends in a type (`model-Q8_0.gguf`), or stands in a folder of that name. */
function isOfType(name: string, type: string): boolean {
  const whole = parseShardName(name)?.prefix ?? name.replace(/\.gguf$/i, '');
  const wanted = type.toLowerCase();
  const parts = whole.toLowerCase().split('/');
  const base = parts.at(-1) ?? '';
  // An underscore parts a name from a type, but also the parts of a type: "K_M" is none.
  const before = /^(ud-)?([it]?q|b?f|mxfp|nvfp)\d/.test(wanted) ? /^$|[-._]$/ : /^$|[-.]$/;
  const ending = base.endsWith(wanted) && before.test(base.slice(0, base.length - wanted.length));
  return ending || parts.slice(0, -1).includes(wanted);
}

/** All shards of a model, given its first; itself where it is in one piece. */
function shardsOf(name: string): string[] {
  const shard = parseShardName(name);
  if (!shard) return [name];
  return Array.from({ length: shard.count }, (_, index) => shardName(shard.prefix, index, shard.count));
}

/**
 * The files of the model that is meant, in the order of shards.
 * @param wanted type or file name; undefined: the first of those that are preferred, else the first name.
 * @returns undefined where there is none, or not all of its shards.
 */
export function chooseGguf(names: readonly string[], wanted?: string): string[] | undefined {
  const models = names
    .filter((name) => /\.gguf$/i.test(name) && !NO_MODEL.test(name))
    .filter((name) => (parseShardName(name)?.index ?? 0) === 0)
    .filter((name) => shardsOf(name).every((shard) => names.includes(shard)))
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  const ofType = (type: string) => models.find((name) => isOfType(name, type));
  const found =
    wanted === undefined
      ? (PREFERRED.map(ofType).find((name) => name !== undefined) ?? models[0])
      : (models.find((name) => shardsOf(name).includes(wanted)) ?? ofType(wanted));
  return found === undefined ? undefined : shardsOf(found);
}

/** Base names, for a hint; a few. */
function offered(names: readonly string[]): string | undefined {
  const models = names.filter((name) => /\.gguf$/i.test(name) && (parseShardName(name)?.index ?? 0) === 0);
  if (models.length === 0) return 'it has no GGUF file: bitmill make turns a checkpoint into some';
  return `it has ${models.slice(0, 30).join(', ')}${models.length > 30 ? ', …' : ''}`;
}

async function filesOf(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.map((name) => name.split(path.sep).join('/'));
}

function resolved(pull: Pull, commit: string, files: readonly string[], received: number): ResolvedGguf {
  const { repository, revision } = pull;
  const folder = snapshotFolder(pull, commit);
  return {
    path: path.join(folder, files[0]),
    folder,
    files,
    origin: { repository, revision, commit },
    received,
  };
}

async function fromCache(pull: Pull, wanted: string | undefined): Promise<ResolvedGguf | undefined> {
  const commit = await cachedCommit(pull);
  if (commit === undefined) return undefined;
  const folder = snapshotFolder(pull, commit);
  const files = chooseGguf(await filesOf(folder), wanted);
  // A link whose blob was removed is still listed.
  const whole = files && (await Promise.all(files.map((file) => exists(path.join(folder, file)))));
  return whole?.every(Boolean) ? resolved(pull, commit, files as string[], 0) : undefined;
}

async function fromHub(pull: Pull, wanted: string | undefined): Promise<ResolvedGguf> {
  const { settings, repository, revision, storage } = pull;
  const listing = await readRevision(settings, repository, revision, true);
  const names = [...listing.files.keys()];
  const files = chooseGguf(names, wanted);
  if (!files) {
    const problem = wanted === undefined ? 'has no GGUF model' : `has no GGUF model ${wanted}`;
    throw inputError(`${repository}@${revision}`, problem, offered(names));
  }
  try {
    await mkdir(storage, { recursive: true });
    const job = new Download(pull, listing);
    await job.receiveAll(files);
    await writeRef(pull, listing.commit);
    return resolved(pull, listing.commit, files, job.received);
  } catch (error) {
    throw error instanceof BitmillError ? error : fileError(storage, error);
  }
}

/** What the cache has; else the hub; where that cannot be reached, the cache's, if it was asked for a newer one. */
async function resolve(pull: Pull, wanted: string | undefined, fresh: boolean): Promise<ResolvedGguf> {
  const { settings, repository, revision, storage, progress } = pull;
  const cached = await fromCache(pull, wanted);
  if (cached && (!fresh || settings.offline)) return cached;
  if (settings.offline) {
    const what = `${repository}@${revision}${wanted === undefined ? '' : `:${wanted}`}`;
    throw new HubError(`${what}: no GGUF of it in the cache (${storage}), and offline`, {
      hint: 'Unset HF_HUB_OFFLINE to receive it, or set HF_HOME to the cache that has it.',
    });
  }
  try {
    return await fromHub(pull, wanted);
  } catch (error) {
    if (!cached || !(error instanceof HubError) || error.reached) throw error;
    progress.warn(`${error.message}; using the copy in the cache`);
    return cached;
  }
}

/**
 * A GGUF model of a repository, in the cache afterwards. Without a type, one that the cache has comes first, so that the
 * same command does the same thing on a train.
 * @param name `owner/name[@revision][:type or file]`.
 * @throws input error: no such file; HubError: as `resolveModel`; resources error: disk full.
 */
export async function resolveGguf(name: string, options: GgufOptions = {}): Promise<ResolvedGguf> {
  const { file, fresh = false, ...rest } = options;
  const parsed = parseGgufName(name);
  if (!parsed) throw inputError(name, 'is no repository id owner/name[@revision][:type]');
  const revision = options.revision ?? parsed.revision ?? 'main';
  return resolve(await planPull(name, parsed.repository, revision, rest), file ?? parsed.file, fresh);
}
