/**
 * llama.cpp as a test oracle: its prebuilt libraries, driven by the scripts of a folder that stands beside
 * the checkout (`../shared/oracle`, or BITMILL_ORACLE). Not part of bitmill; suites skip where it is missing.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = process.env['BITMILL_ORACLE'] ?? path.join(ROOT, '..', 'shared', 'oracle');

/** Test data beside the checkout (`../shared/data`, or BITMILL_DATA). */
export const DATA = process.env['BITMILL_DATA'] ?? path.join(ROOT, '..', 'shared', 'data');

export interface GgmlOracle {
  TYPES: readonly string[];
  blockSize(type: string): number;
  rowSize(type: string, weights: number): number;
  requiresImatrix(type: string): boolean;
  quantize(
    type: string,
    src: Float32Array,
    rows: number,
    cols: number,
    imatrix?: Float32Array | null,
  ): Uint8Array;
  dequantize(type: string, bytes: Uint8Array, weights: number): Float32Array;
  /** The libraries themselves, for what the oracle does not wrap. */
  native(): { base: { func(name: string, result: string, parameters: string[]): NativeFunction } };
  unavailable(): string | null;
}

/** A C function of libggml-base, bound by koffi; typed arrays pass as pointers. */
export type NativeFunction = (...args: unknown[]) => unknown;

export interface PeerModel {
  readonly vocabSize: number;
  readonly nCtx: number;
  readonly description: string;
  tokenize(text: string, options?: { addSpecial?: boolean; parseSpecial?: boolean }): Int32Array;
  detokenize(tokens: ArrayLike<number>): string;
  /** Whether a token ends a generation. */
  isEog(token: number): boolean;
  logits(tokens: ArrayLike<number>, options?: { lastOnly?: boolean }): Float32Array;
  greedy(tokens: ArrayLike<number>, count: number): Int32Array;
  close(): void;
}

export interface LlamaOracle {
  FTYPES: readonly string[];
  Peer: { open(file: string, options?: Record<string, unknown>): PeerModel };
  quantizeFile(src: string, dst: string, ftype: string, options?: Record<string, unknown>): void;
  readImatrix(file: string): Map<string, Float32Array>;
}

/** The tensor oracle, or the reason why there is none. */
export async function ggmlOracle(): Promise<GgmlOracle | string> {
  const file = path.join(FOLDER, 'ggml.mjs');
  if (!existsSync(file)) return `no oracle folder at ${FOLDER}`;
  const oracle = (await import(pathToFileURL(file).href)) as GgmlOracle;
  return oracle.unavailable() ?? oracle;
}

/** The whole-model oracle, or the reason why there is none. */
export async function llamaOracle(): Promise<LlamaOracle | string> {
  const ggml = await ggmlOracle();
  if (typeof ggml === 'string') return ggml;
  return (await import(pathToFileURL(path.join(FOLDER, 'llama.mjs')).href)) as LlamaOracle;
}
