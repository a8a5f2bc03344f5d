/** The log: JSON lines on stderr, one a request. Neither prompts nor answers nor keys are in it, unless that was asked for. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Account, Closing } from './account.ts';

export const LOG_LEVELS = ['info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const STDERR = 2;

/** @param to default: stderr, written at once, so that nothing is missing when the process ends. */
export function openLog(
  level: LogLevel,
  to: DestinationStream = destination({ dest: STDERR, sync: true }),
): Logger {
  return pino({ level, base: null, timestamp: stdTimeFunctions.isoTime }, to);
}

/** Faults of ours are errors; what clients do wrong is information. */
export function logRequest(log: Logger, account: Account, { status, seconds, whole }: Closing): void {
  const { id, method, path, route, address, client, notes } = account;
  const line = {
    request: id,
    method,
    path,
    route,
    status,
    ms: Math.round(1000 * seconds),
    address,
    ...(client === address ? {} : { client }),
    ...(whole ? {} : { cut: true }),
    ...notes,
  };
  if (status >= 500 && status !== 503 && status !== 504) log.error(line);
  else log.info(line);
}
