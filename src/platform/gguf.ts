/** GGUF files of the file system: one file, or all shards of a model given any one of them. */
import path from 'node:path';
import { type ByteSource, inputError } from '../core/index.ts';
import { type GgufFile, type GgufLimits, parseShardName, readGguf, shardName } from '../gguf/index.ts';
import { exists, openFile } from './files.ts';

/**
 * Paths of the shards that belong to a file, by its name alone: nothing that a file says can point elsewhere.
 * @throws input error: a shard is missing.
 */
async function shardPaths(file: string): Promise<string[]> {
  const shard = parseShardName(path.basename(file));
  if (!shard || shard.index < 0 || shard.index >= shard.count) return [file];
  const paths: string[] = [];
  for (let index = 0; index < shard.count; index++) {
    const one = path.join(path.dirname(file), shardName(shard.prefix, index, shard.count));
    if (!(await exists(one))) throw inputError(one, `shard ${index + 1} of ${shard.count} is missing`);
    paths.push(one);
  }
  return paths;
}

/**
 * Opens a GGUF file; of a model in shards (`-00001-of-00003.gguf`) all of them, given any one.
 * @throws input error: missing, malformed, or shards that do not belong together.
 */
export async function openGguf(file: string, limits: Partial<GgufLimits> = {}): Promise<GgufFile> {
  const sources: ByteSource[] = [];
  try {
    for (const one of await shardPaths(file)) sources.push(await openFile(one));
    return await readGguf(sources, limits);
  } catch (error) {
    for (const source of sources) await source.close?.();
    throw error;
  }
}
