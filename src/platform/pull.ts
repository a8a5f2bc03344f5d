/** Receiving a repository: its checkpoint where it has one, else a GGUF. */
import { BitmillError } from '../core/index.ts';
import { resolveModel } from './hub.ts';
import type { ResolveOptions } from './hub-download.ts';
import { parseGgufName, type ResolvedGguf, resolveGguf } from './hub-gguf.ts';

/** What is here now. */
export interface Pulled {
  /** What a command opens: the folder of a checkpoint, or the first shard of a GGUF. */
  readonly path: string;
  /** The revision's folder in the cache. */
  readonly folder: string;
  /** Files in it: all of a checkpoint, or the shards. */
  readonly names: readonly string[];
  readonly origin:
    | { readonly repository: string; readonly revision: string; readonly commit: string }
    | undefined;
  /** Bytes that came over the network this time. */
  readonly received: number;
}

function pulledGguf({ path, folder, files, origin, received }: ResolvedGguf): Pulled {
  return { path, folder, names: files, origin, received };
}

/**
 * Asks the hub for what is newest.
 * @param name `owner/name[@revision][:type or file]`.
 * @throws as `resolveModel` and `resolveGguf`.
 */
export async function pullRepository(name: string, options: ResolveOptions = {}): Promise<Pulled> {
  if (parseGgufName(name)?.file !== undefined)
    return pulledGguf(await resolveGguf(name, { ...options, fresh: true }));
  try {
    const { folder, files, origin, received } = await resolveModel(name, options);
    return { path: folder, folder, names: await files.list(), origin, received };
  } catch (error) {
    if (!(error instanceof BitmillError) || (error.kind !== 'input' && error.kind !== 'network')) throw error;
    // Where there is no checkpoint, a GGUF is looked for; where there is no hub, only in the cache.
    const reach = error.kind === 'input' ? { fresh: true } : { offline: true };
    const gguf = await resolveGguf(name, { ...options, ...reach }).catch(() => {
      throw error;
    });
    return pulledGguf(gguf);
  }
}
