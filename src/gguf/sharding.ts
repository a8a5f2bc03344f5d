/** How tensors are shared out over shards, and the metadata that each shard carries. */
import { alignUp } from '../core/index.ts';
import { i32, u16 } from './metadata.ts';
import { SPLIT_KEYS, withoutSplitKeys } from './splits.ts';
import type { GgufFile, GgufTensor, Metadata } from './types.ts';

/** The rule that ends a shard. */
export type ShardRule =
  | { readonly maxTensors: number }
  /** Bytes of tensor data, padding included; a tensor that is larger has a shard to itself. */
  | { readonly maxBytes: number };

/** Groups of tensors in file order, at least one tensor each (one empty group for a file without tensors). */
export function shareOut(file: GgufFile, rule: ShardRule): GgufTensor[][] {
  const groups: GgufTensor[][] = [[]];
  let bytes = 0;
  for (const tensor of file.tensors) {
    const more = alignUp(tensor.bytes, file.alignment);
    const group = groups[groups.length - 1];
    const full = 'maxTensors' in rule ? group.length >= rule.maxTensors : bytes + more > rule.maxBytes;
    if (full && group.length > 0) {
      groups.push([tensor]);
      bytes = more;
    } else {
      group.push(tensor);
      bytes += more;
    }
  }
  return groups;
}

/** Metadata of shard `index` (from 0) of `count`: all of the model's in the first, in each what shard it is. */
export function shardMetadata(whole: Metadata, index: number, count: number, tensors: number): Metadata {
  return new Map([
    ...(index === 0 ? withoutSplitKeys(whole) : []),
    [SPLIT_KEYS.no, u16(index)],
    [SPLIT_KEYS.count, u16(count)],
    [SPLIT_KEYS.tensors, i32(tensors)],
  ]);
}
