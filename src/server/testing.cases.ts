/** An app over a scripted model, and readers of what it answers; for tests. */
import { type FakeOptions, FakeService } from '../../test/fake-service.ts';
import { createApp } from './app.ts';
import type { AppExtras } from './env.ts';
import { DEFAULT_SETTINGS, type ServerSettings } from './settings.ts';

export interface Setup {
  readonly fake?: FakeOptions;
  readonly settings?: Partial<ServerSettings>;
  readonly extras?: AppExtras;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON it is; tests look at it.
  readonly body: any;
}

/** One model, `fake`, and functions that ask the app. */
export function setup({ fake = {}, settings = {}, extras = {} }: Setup = {}) {
  const service = new FakeService(fake);
  const models = [{ id: 'fake', created: 1_700_000_000, fileType: 'Q4_K_M', size: 5, service }];
  const app = createApp(models, { ...DEFAULT_SETTINGS, ...settings }, extras);
  const ask = async (path: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    });
  const post = async (path: string, body: unknown): Promise<Answer> => {
    const response = await ask(path, body);
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  const get = async (path: string): Promise<Answer> => {
    const response = await app.request(path);
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  return { app, service, ask, post, get };
}

/** Frames of a stream, without the blank lines that end them. */
export async function framesOf(response: Response): Promise<string[]> {
  const text = await response.text();
  return text.split('\n\n').slice(0, -1);
}

/** Chunks of a stream that went well. @throws where it did not end with [DONE]. */
// biome-ignore lint/suspicious/noExplicitAny: whatever JSON it is; tests look at it.
export async function chunksOf(response: Response): Promise<any[]> {
  const frames = (await framesOf(response)).filter((one) => !one.startsWith(':'));
  if (frames.at(-1) !== 'data: [DONE]') throw new Error(`the stream ends with ${frames.at(-1)}`);
  return frames.slice(0, -1).map((one) => JSON.parse(one.slice('data: '.length)));
}

export const HELLO = { model: 'fake', messages: [{ role: 'user', content: 'Hi' }] } as const;
