/** The shell of the server: connections, limits, keys, the page, the log, metrics. The only door of the folder. */
export { modelApi } from './api.ts';
export { isLoopback } from './hosts.ts';
export { readApiKeys } from './keys.ts';
export { LISTENER_LIMITS, type ListenerLimits } from './limits.ts';
export { LOG_LEVELS, type LogLevel, openLog } from './log.ts';
export { Metrics } from './metrics.ts';
export { type Page, readPage } from './page.ts';
export { ApiServer, type ServerOptions } from './server.ts';
export type { Api, Passed } from './shell.ts';
