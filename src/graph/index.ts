/** Graph: what a model computes, as data: operations, shape rules, builder, memory plan. The only door. */
export * from './builder.ts';
export { GraphError, OPS } from './ops.ts';
export * from './plan.ts';
export * from './taps.ts';
export * from './types.ts';
