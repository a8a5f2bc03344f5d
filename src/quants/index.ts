/**
 * Quants: the tensor formats of GGUF, one file each in formats/, and the codec over them. The only door.
 */
export * from './codebooks.ts';
export * from './codec.ts';
export * from './error-job.ts';
export {
  EFFORTS,
  type Effort,
  formatBytes,
  type Plane,
  QUANTIZATION_VERSION,
  type TensorFormat,
} from './format.ts';
export * from './jobs.ts';
export * from './quality.ts';
export * from './registry.ts';
