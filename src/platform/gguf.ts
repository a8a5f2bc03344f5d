/** GGUF files by path or address: one file, or all shards of a model given any one of them. */
import { type ByteSource, inputError, usageError } from '../core/index.ts';
import {
  type GgufFile,
  type GgufLimits,
  httpSource,
  parseShardName,
  readGguf,
  shardName,
} from '../gguf/index.ts';
import { exists, openFile } from './files.ts';

/** Whether a file is named by its address on the web. */
export function isUrl(name: string): boolean {
  return /^https?:\/\//i.test(name);
}

/** Opens a file by path, or by address for reading ranges; HF_TOKEN is sent to huggingface.co, nowhere else. */
export async function openSource(name: string): Promise<ByteSource> {
  if (!isUrl(name)) return openFile(name);
  if (!URL.canParse(name)) throw usageError(`${name} is no web address`);
  const token = process.env['HF_TOKEN'];
  const { protocol, hostname } = new URL(name);
  const trusted = protocol === 'https:' && hostname === 'huggingface.co';
  return httpSource(name, token && trusted ? { headers: { authorization: `Bearer ${token}` } } : {});
}

/**
 * Names of the shards that belong to a file, by its name alone: nothing that a file says can point elsewhere.
 * @throws input error: a shard is missing.
 */
async function shardNames(name: string): Promise<string[]> {
  const shard = parseShardName(name);
  if (!shard || shard.index < 0 || shard.index >= shard.count) return [name];
  const names = Array.from({ length: shard.count }, (_, index) =>
    shardName(shard.prefix, index, shard.count),
  );
  for (const [index, one] of names.entries()) {
    if (isUrl(one) || (await exists(one))) continue;
    throw inputError(one, `shard ${index + 1} of ${shard.count} is missing`);
  }
  return names;
}

/**
 * Opens a GGUF file or address; of a model in shards (`-00001-of-00003.gguf`) all of them, given any one.
 * @throws input error: missing, malformed, or shards that do not belong together. Network error: unreachable.
 */
export async function openGguf(name: string, limits: Partial<GgufLimits> = {}): Promise<GgufFile> {
  const sources: ByteSource[] = [];
  try {
    for (const one of await shardNames(name)) sources.push(await openSource(one));
    return await readGguf(sources, limits);
  } catch (error) {
    for (const source of sources) await source.close?.();
    throw error;
  }
}
