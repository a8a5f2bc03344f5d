/** GET /openapi.json: the description of this API, made from the schemas that check its requests. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ServerEnv } from '../env.ts';
import type { AppState } from '../state.ts';

const TEXT = `Local models behind OpenAI's HTTP API. Fields beyond it are marked; fields that are not listed are ignored.
Errors have the shape {error: {message, type, param, code}}; in a stream they come as an event of their own.`;

/** Call it when all other routes are there. */
export function descriptionRoute(app: OpenAPIHono<ServerEnv>, { extras, settings }: AppState): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', { type: 'http', scheme: 'bearer' });
  const info = {
    title: 'bitmill',
    version: extras.version ?? '0',
    description: TEXT,
    license: { name: 'MIT', identifier: 'MIT' },
  };
  const security = settings.apiKeys.length > 0 ? { security: [{ key: [] }] } : {};
  let made: string | undefined;
  app.get('/openapi.json', (c) => {
    made ??= JSON.stringify(app.getOpenAPI31Document({ openapi: '3.1.0', info, ...security }));
    return c.body(made, 200, { 'content-type': 'application/json' });
  });
}
