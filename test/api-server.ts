/** The API on a real listener of a port of its own, for clients that know nothing of us. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { wasmBackend } from '../src/backends/index.ts';
import { Engine, type ModelService, openSequences, openService } from '../src/generate/index.ts';
import { modelPath, openGguf, spawnEngineThread } from '../src/platform/index.ts';
import { type AppExtras, createApp, DEFAULT_SETTINGS, type ServerSettings } from '../src/server/index.ts';
import { chatTemplateOf, tokenizerOf } from '../src/text/index.ts';

export interface RunningApi {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves one model under an id. */
export async function serveApi(
  id: string,
  service: ModelService,
  settings: Partial<ServerSettings> = {},
  extras: AppExtras = {},
): Promise<RunningApi> {
  const model = { id, created: 1_700_000_000, fileType: 'Q8_0', service };
  const app = createApp(
    [model],
    { ...DEFAULT_SETTINGS, ...settings },
    { onFault: (error) => console.error(error), ...extras },
  );
  const server = await new Promise<Server>((resolve) => {
    const listener = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, () =>
      resolve(listener as Server),
    );
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface OpenedService {
  readonly service: ModelService;
  close(): Promise<void>;
}

/** phi3-tiny as it is served: four slots on one thread. */
export async function openPhi3Tiny(contextSize = 1024): Promise<OpenedService> {
  const file = await openGguf(await modelPath('phi3-tiny'));
  const backend = await wasmBackend({ threads: 1, spawn: spawnEngineThread });
  const engine = await Engine.open(file, { backend, contextSize, sequences: 4 });
  const tokenizer = tokenizerOf(file);
  const service = openService({
    sequences: await openSequences(engine),
    tokenizer,
    template: chatTemplateOf(file, tokenizer),
    width: engine.model.hyper.width,
    queue: 64,
  });
  const close = async (): Promise<void> => {
    await service.close();
    engine.close();
    await backend.close();
    await file.close();
  };
  return { service, close };
}
