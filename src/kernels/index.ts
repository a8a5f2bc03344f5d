/** Kernels: the WebAssembly SIMD module and its loader. Sources: the `*.as.ts` files of this and other folders. */
export * from './loader.ts';
export { KERNELS_STAMP } from './module.gen.ts';
