/** Server: models behind OpenAI's HTTP API. The only door of the folder. */
export * from './settings.ts';
export * from './shell/index.ts';
