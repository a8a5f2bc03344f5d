/** Engines one after the other on one backend, which is opened when the first is wanted. */
import type { Backend } from '../../backends/index.ts';
import type { Engine } from '../../generate/index.ts';
import { type EngineFlags, type EngineNeeds, openBackend, withEngineOn } from '../engine.ts';

export class Engines {
  readonly #flags: Omit<EngineFlags, 'model'>;
  #backend: Promise<Backend> | undefined;

  constructor(flags: Omit<EngineFlags, 'model'>) {
    this.#flags = flags;
  }

  async open<T>(model: string, needs: EngineNeeds, use: (engine: Engine) => Promise<T>): Promise<T> {
    this.#backend ??= openBackend(this.#flags, false);
    return withEngineOn(await this.#backend, { ...this.#flags, model }, () => needs, use);
  }

  async close(): Promise<void> {
    await (await this.#backend)?.close();
    this.#backend = undefined;
  }
}
