/**
 * The API as a function from Request to Response: it knows nothing of sockets, files or Node. What stands around it
 * (limits, keys, metrics, pages) comes as middlewares.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { AppExtras, ServerEnv } from './env.ts';
import { ApiError, apiError } from './errors.ts';
import { chatRoutes } from './routes/chat.ts';
import { completionRoutes } from './routes/completions.ts';
import { descriptionRoute } from './routes/description.ts';
import { embeddingRoutes } from './routes/embeddings.ts';
import { modelRoutes } from './routes/models.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { safeModel, safetyMiddleware } from './safety.ts';
import { validationError } from './schemas/problems.ts';
import type { ServedModel, ServerSettings } from './settings.ts';
import { AppState, plain } from './state.ts';

/** Adding routes = a line; the description, last, tells of all of them. */
const ROUTES = [
  chatRoutes,
  completionRoutes,
  embeddingRoutes,
  modelRoutes,
  tokenRoutes,
  descriptionRoute,
] as const;

/** What Hono throws itself: a body that is no JSON (400), or not declared as JSON (415). */
function httpError(error: HTTPException): ApiError {
  const message =
    error.status === 415
      ? 'the body has to be JSON, declared as "content-type: application/json"'
      : error.message || `status ${error.status}`;
  return new ApiError(error.status, message, { cause: error });
}

/** Routes that exist answer other methods with 405. */
function refuseOtherMethods(app: OpenAPIHono<ServerEnv>): void {
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === 'ALL') continue;
    methods.set(path, (methods.get(path) ?? new Set()).add(method));
  }
  for (const [path, allowed] of methods) {
    if (allowed.has('GET')) allowed.add('HEAD');
    const allow = [...allowed].join(', ');
    app.all(path, (c) => {
      throw new ApiError(405, `${c.req.method} ${c.req.path}: this route takes ${allow}`, {
        code: 'method_not_allowed',
        headers: { allow },
      });
    });
  }
}

/** The app of these models. @param extras see `AppExtras`. */
export function createApp(
  models: readonly ServedModel[],
  settings: ServerSettings,
  extras: AppExtras = {},
): Hono<ServerEnv> {
  const { safety } = extras;
  const served = safety ? models.map((model) => safeModel(model, safety)) : models;
  const state = new AppState(served, settings, extras);
  const app = new OpenAPIHono<ServerEnv>({
    defaultHook: (result) => {
      if (!result.success) throw validationError(result.error);
    },
  });
  app.use('*', ...(extras.middleware ?? []), ...(safety ? [safetyMiddleware(safety)] : []));
  for (const add of ROUTES) add(app, state);
  refuseOtherMethods(app);
  app.notFound((c) => {
    const error = new ApiError(404, `${c.req.method} ${c.req.path}: there is no such route`, {
      code: 'unknown_url',
    });
    return error.response();
  });
  app.onError((error, c) => {
    const told = error instanceof HTTPException ? httpError(error) : apiError(error);
    if (told.isFault) extras.onFault?.(error, plain(c));
    return told.response();
  });
  return app;
}
