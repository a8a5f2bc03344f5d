/** The assembler for x86-64. The only door of the folder. */
export { Assembler, type Instructions } from './assembler.ts';
export type { Condition } from './general.ts';
export { RegisterPool } from './register-pool.ts';
export * from './registers.ts';
export type { VectorMnemonic } from './vector-table.ts';
