/** Shards: how their files are named, which keys say that they belong together, and whether they do. */
import { inputError } from '../core/index.ts';
import { getNumber, getString } from './metadata.ts';
import type { Shard } from './reader.ts';
import type { Metadata } from './types.ts';

/** Keys of llama.cpp that describe a shard. */
export const SPLIT_KEYS = {
  /** u16: which shard, from 0. */
  no: 'split.no',
  /** u16: how many shards; 0 in a file that was merged. */
  count: 'split.count',
  /** i32: tensors in all shards together. */
  tensors: 'split.tensors.count',
} as const;

const SHARD_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s;

/** File name of shard `index` (from 0) of `count`: `<prefix>-00001-of-00003.gguf`. */
export function shardName(prefix: string, index: number, count: number): string {
  const digits = (value: number) => String(value).padStart(5, '0');
  return `${prefix}-${digits(index + 1)}-of-${digits(count)}.gguf`;
}

/** Prefix, index (from 0) and count out of a shard's file name; undefined if it is not named like a shard. */
export function parseShardName(name: string): { prefix: string; index: number; count: number } | undefined {
  const match = SHARD_NAME.exec(name);
  if (!match) return undefined;
  return { prefix: match[1], index: Number(match[2]) - 1, count: Number(match[3]) };
}

/** A copy without the keys that describe shards. */
export function withoutSplitKeys(metadata: Metadata): Metadata {
  const keys: readonly string[] = Object.values(SPLIT_KEYS);
  return new Map([...metadata].filter(([key]) => !keys.includes(key)));
}

/** Throws unless the files are exactly the shards of one model, in order, or one file in one piece. */
export function checkShards(shards: readonly Shard[]): void {
  const [first] = shards;
  const tensors = shards.reduce((total, shard) => total + shard.tensors.length, 0);
  for (const [index, { source, metadata, littleEndian }] of shards.entries()) {
    const place = source.name;
    const count = getNumber(metadata, SPLIT_KEYS.count, place) ?? 0;
    if (shards.length === 1 && count <= 1) continue;
    if (count !== shards.length) {
      throw inputError(
        place,
        `says it is one of ${count} shards, but ${shards.length} ${shards.length === 1 ? 'was' : 'were'} opened`,
        'keep all shards in one folder under the names that split gave them (-00001-of-…)',
      );
    }
    const no = getNumber(metadata, SPLIT_KEYS.no, place);
    if (no !== index) throw inputError(place, `is shard ${no ?? 'without number'}, expected ${index}`);
    const declared = getNumber(metadata, SPLIT_KEYS.tensors, place);
    if (declared !== undefined && declared !== tensors) {
      throw inputError(place, `the shards hold ${tensors} tensors, but ${declared} are declared`);
    }
    const architecture = getString(metadata, 'general.architecture', place);
    const expected = getString(first.metadata, 'general.architecture', first.source.name);
    if (architecture !== undefined && architecture !== expected) {
      throw inputError(place, `is of architecture ${architecture}, the first shard of ${expected}`);
    }
    if (littleEndian !== first.littleEndian) throw inputError(place, 'differs in byte order from shard 1');
  }
}
