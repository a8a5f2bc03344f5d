/** What all routes of one app share: the models by name, the settings, and grammars that were asked for before. */
import type { Context } from 'hono';
import { GrammarCache } from '../generate/index.ts';
import type { AppExtras, ServerContext } from './env.ts';
import { ApiError } from './errors.ts';
import type { ServedModel, ServerSettings } from './settings.ts';

export class AppState {
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly settings: ServerSettings;
  readonly extras: AppExtras;
  readonly grammars = new GrammarCache();

  constructor(models: readonly ServedModel[], settings: ServerSettings, extras: AppExtras) {
    this.models = new Map(models.map((model) => [model.id, model]));
    this.settings = settings;
    this.extras = extras;
  }

  /** The model that a request names; where there is but one, it need not. @throws 404; 400: none is named. */
  model(id: string | undefined): ServedModel {
    const [only, ...others] = this.models.values();
    const found = id === undefined ? (others.length === 0 ? only : undefined) : this.models.get(id);
    if (found) return found;
    const known = [...this.models.keys()].join(', ');
    if (id === undefined) {
      throw new ApiError(400, `model: is missing; this server has ${known}`, { param: 'model' });
    }
    throw new ApiError(404, `model: ${JSON.stringify(id)} does not exist; this server has ${known}`, {
      param: 'model',
      code: 'model_not_found',
    });
  }
}

/** What ends a request from outside. */
export function requestSignal(c: ServerContext): AbortSignal {
  return c.get('signal') ?? c.req.raw.signal;
}

/**
 * A controller that follows a signal until it is released. Not `AbortSignal.any`: in Node 20 that keeps what it joined.
 */
export class Tether {
  readonly #outer: AbortSignal;
  readonly #controller = new AbortController();
  readonly #follow = (): void => this.abort(this.#outer.reason);

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#follow();
    else outer.addEventListener('abort', this.#follow);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }

  release(): void {
    this.#outer.removeEventListener('abort', this.#follow);
  }
}

/** The queue's key: who asks, and for whom. */
export function clientOf(c: ServerContext, user: string | null | undefined): string {
  return `${c.get('client') ?? ''}/${user ?? ''}`;
}

/** The same for routes whose context has more in it. */
export function plain(c: Context): ServerContext {
  return c as ServerContext;
}
