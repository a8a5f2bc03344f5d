/**
 * Models by name: a folder as it is, or a repository of a Hugging Face hub, received into the cache that
 * huggingface_hub uses too (`models--owner--name/{blobs,refs,snapshots}`), so that neither downloads twice.
 */
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { BitmillError, inputError } from '../core/index.ts';
import { type CheckpointFiles, CONFIG_FILE, INDEX_FILE, weightFiles } from '../hf/index.ts';
import { folderFiles } from './checkpoint.ts';
import { embeddedHint, embeddedModel } from './embedded.ts';
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

/** A model that is here. */
export interface ResolvedModel {
  readonly folder: string;
  readonly files: CheckpointFiles;
  /** Where it came from, unless it was a folder. */
  readonly origin?: { readonly repository: string; readonly revision: string; readonly commit: string };
  /** Bytes that came over the network this time. */
  readonly received: number;
}

function resolved(pull: Pull, commit: string, received: number): ResolvedModel {
  const { repository, revision } = pull;
  const folder = snapshotFolder(pull, commit);
  const files = folderFiles(folder, repository);
  return { folder, files, origin: { repository, revision, commit }, received };
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
    await writeRef(pull, listing.commit);
    return resolved(pull, listing.commit, job.received);
  } catch (error) {
    throw error instanceof BitmillError ? error : fileError(storage, error);
  }
}

/** What the cache has of a revision; undefined where it has none of it. */
async function fromCache(pull: Pull): Promise<ResolvedModel | undefined> {
  const commit = await cachedCommit(pull);
  if (commit === undefined) return undefined;
  const model = resolved(pull, commit, 0);
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
  const pull = await planPull(name, repository, revision, options);
  return pull.settings.offline ? offlineModel(pull) : onlineModel(pull);
}
