/** The routes of models as what the shell hands requests to. */
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Logger } from 'pino';
import { createApp } from '../app.ts';
import type { AnswerReport, ServerEnv } from '../env.ts';
import type { ServedModel, ServerSettings } from '../settings.ts';
import type { Account } from './account.ts';
import type { Api, Passed } from './shell.ts';

export interface ApiOptions {
  readonly log: Logger;
  /** Of the program. */
  readonly version: string;
}

/** What the line of the log says of an answer. */
function notesOf({ route: _, totalMs: __, firstTokenMs, ...report }: AnswerReport): Account['notes'] {
  return { ...report, ...(firstTokenMs === undefined ? {} : { firstTokenMs: Math.round(firstTokenMs) }) };
}

export function modelApi(models: readonly ServedModel[], settings: ServerSettings, options: ApiOptions): Api {
  const { log, version } = options;
  const passed = new WeakMap<Request, Passed>();
  const bring: MiddlewareHandler<ServerEnv> = async (c, next) => {
    const found = passed.get(c.req.raw);
    if (found) {
      c.set('client', found.account.client);
      c.set('signal', found.signal);
    }
    await next();
    // The last handler of those that matched; a pattern with a star is none of the routes.
    const pattern = routePath(c, -1);
    if (found && !pattern.includes('*')) found.account.route = pattern;
  };
  const app = createApp(models, settings, {
    middleware: [bring],
    version,
    onAnswer: (report, c) => {
      const found = passed.get(c.req.raw);
      if (found) found.account.notes = notesOf(report);
    },
    onFault: (error, c) => {
      log.error({ err: error, request: passed.get(c.req.raw)?.account.id }, 'a request broke');
    },
  });
  return (request, found) => {
    passed.set(request, found);
    return app.fetch(request);
  };
}
