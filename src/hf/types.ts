/** A checkpoint as Hugging Face lays it out: config, tokenizer files and safetensors, in a folder or a hub. */
import type { ByteSource } from '../core/index.ts';

/** The files of a checkpoint, wherever they are. Names are plain file names, never paths out of the folder. */
export interface CheckpointFiles {
  /** Folder or repository id, for messages. */
  readonly name: string;
  list(): Promise<readonly string[]>;
  /** Undefined where there is no such file. */
  open(file: string): Promise<ByteSource | undefined>;
}

export type SafetensorsType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U8'
  | 'BOOL'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'U16'
  | 'U32'
  | 'U64';

export interface CheckpointTensor {
  readonly name: string;
  readonly dtype: SafetensorsType;
  /** Slowest dimension first, as safetensors writes it: a weight is [outputs, inputs]. */
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** An open checkpoint. */
export interface Checkpoint {
  readonly name: string;
  /** config.json: plain data on null prototypes. */
  readonly config: Readonly<Record<string, unknown>>;
  /** In the order of the shards and their headers. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** A JSON file of the checkpoint (tokenizer.json, generation_config.json …), on null prototypes; undefined if absent. */
  json(file: string): Promise<unknown>;
  /** A text file, UTF-8 (chat_template.jinja, README.md); undefined if absent. */
  text(file: string): Promise<string | undefined>;
  /** A small binary file (tokenizer.model); undefined if absent. */
  bytes(file: string): Promise<Uint8Array | undefined>;
  /** Little-endian data bytes of a tensor, all or a range. Fresh memory. */
  read(tensor: string, offset?: number, length?: number): Promise<Uint8Array>;
  close(): Promise<void>;
}
