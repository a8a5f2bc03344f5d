/**
 * What an architecture tells the converter: which tensors a checkpoint must have, what they are called in a
 * GGUF, and the hyper-parameters. One member a file in architectures/, one line in its index.
 */
import type { GgufValue } from '../gguf/index.ts';
import type { ConfigReader } from './config.ts';

/** A tensor to take over. */
export interface TensorRule {
  /** Name in the checkpoint. */
  readonly from: string;
  /** Name in the GGUF. */
  readonly to: string;
  /** Shape in the checkpoint: slowest dimension first, a weight is [outputs, inputs]. */
  readonly shape: readonly number[];
  /**
   * Heads of H rows whose two halves are to be interleaved: row `2 j + s` of a head is row `s H / 2 + j` of the
   * checkpoint's. ggml rotates neighbouring pairs for this architecture, transformers rotates halves.
   */
  readonly interleaveHeads?: number;
}

/** A tensor that is computed from the config. */
export interface ComputedTensor {
  readonly name: string;
  readonly values: Float32Array;
}

/** A metadata entry; `fileType` stands where general.file_type goes. */
export type Entry = readonly [key: string, value: GgufValue];
export type HyperParameter = Entry | 'fileType';

export interface ModelPlan {
  /** Entries right after general.architecture. */
  readonly leading: readonly Entry[];
  /** In the order of llama.cpp's converter. */
  readonly hyperParameters: readonly HyperParameter[];
  readonly tensors: readonly TensorRule[];
  /** Written before the others. */
  readonly computed: readonly ComputedTensor[];
  readonly vocabSize: number;
}

export interface Architecture {
  /** general.architecture. */
  readonly name: string;
  /** `architectures[0]` of config.json. */
  readonly classes: readonly string[];
  /** Whether general.name must carry the mark of Phi-3 (general.ts says why). */
  readonly phi3Name?: true;
  /**
   * @param hasTensor whether the checkpoint has a tensor; decides optional ones.
   * @throws input error: a field of the config is missing, malformed or contradicts another.
   */
  plan(config: ConfigReader, hasTensor: (name: string) => boolean): ModelPlan;
}

/** Tensors of the checkpoint that carry nothing: buffers that older transformers saved along. */
export const IGNORED_TENSORS =
  /\.(?:rotary_emb\.inv_freq|attention\.masked_bias|attention\.bias|rotary_pos_emb\.inv_freq)$/;
