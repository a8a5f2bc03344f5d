/** Server: models behind OpenAI's HTTP API. The only door of the folder. */
export { createApp } from './app.ts';
export type * from './env.ts';
export { ApiError, type ApiErrorOptions, apiError, type ErrorBody } from './errors.ts';
export type * from './safety.ts';
export * from './settings.ts';
export * from './shell/index.ts';
