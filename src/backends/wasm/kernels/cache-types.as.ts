/** Numbers of the cache types in kernel calls. AssemblyScript and TypeScript alike. */

export const CACHE_F32 = 0;
export const CACHE_F16 = 1;
export const CACHE_Q8_0 = 2;

/** Columns of a q8_0 block, and its bytes: d f16, then 32 int8. */
export const Q8_BLOCK = 32;
export const Q8_BYTES = 34;
