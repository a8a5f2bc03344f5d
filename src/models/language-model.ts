/**
 * A language model read from a GGUF file: its numbers, and its computation as graphs, one a segment, so that a model
 * larger than memory can be walked layer by layer. Letters: T tokens, S selected rows, E embedding width, V vocabulary.
 */

import type { GgufFile } from '../gguf/index.ts';
import type { AttentionAlgorithm, CacheType, Graph } from '../graph/index.ts';

export interface HyperParameters {
  readonly layers: number;
  /** E. */
  readonly width: number;
  readonly vocabulary: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Positions that the model was trained for. */
  readonly contextLength: number;
  /** Positions that attention looks back on, its own included; 0: all. */
  readonly window: number;
}

/** What decides the graphs beside the file. */
export interface GraphOptions {
  readonly cacheType: CacheType;
  readonly attention: AttentionAlgorithm;
  /** Positions that a sequence will have at most; LongRoPE picks its factors by it. */
  readonly contextSize: number;
}

/** Rotation angles of positions: f32 [count, rotated/2] each, magnitude factors included. */
export interface RopeTable {
  readonly rotated: number;
  angles(from: number, count: number): { readonly cos: Float32Array; readonly sin: Float32Array };
}

export interface ModelGraphs {
  /** `tokens` i32 [T, 1] -> `next` [T, E]. */
  readonly embed: Graph;
  /** `hidden` [T, E], `cos`, `sin` [T, rotated/2], caches `keys` and `values` -> `next` [T, E]. Named `blk.<i>`. */
  readonly layers: readonly Graph[];
  /** `hidden` [T, E], `select` i32 [S, 1] -> `final` [S, E]: the selected rows, normalized. */
  readonly final: Graph;
  /** `final` [S, E] -> `logits` [S, V]. */
  readonly output: Graph;
  readonly rope: RopeTable;
}

export interface LanguageModel {
  readonly file: GgufFile;
  readonly architecture: string;
  readonly hyper: HyperParameters;
  graphs(options: GraphOptions): ModelGraphs;
}

/** An architecture: its name in GGUF files, and how its files become models. One file each, a line in `index.ts`. */
export interface Architecture {
  readonly name: string;
  /** @throws input error: a missing or misshapen tensor or key, by name, with what was found and what is allowed. */
  readonly read: (file: GgufFile) => Promise<Omit<LanguageModel, 'file' | 'architecture'>>;
}
