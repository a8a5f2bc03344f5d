/** Serving: many requests on one model. The only door of the folder. */
export * from './busy.ts';
export { Gate } from './gate.ts';
export * from './open.ts';
export * from './service.ts';
