/** Serving: many requests on one model. The only door of the folder. */
export * from './busy.ts';
export * from './service.ts';
