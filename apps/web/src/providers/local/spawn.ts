/** Threads of the engine in a browser, and scripts for workers under the page's policy. */
import type { SpawnThread } from '../../../../../src/backends/index.ts';

interface ScriptPolicy {
  createScriptURL(url: string): unknown;
}

let policy: ScriptPolicy | undefined;

/**
 * An address of our own as one that the page's policy for scripts lets through: only scripts beside this one.
 * @throws Error: another site's address.
 */
export function trustedScript(url: string): URL {
  const address = new URL(url, location.href);
  if (address.origin !== location.origin) throw new Error(`${url} is not a script of this page`);
  const { trustedTypes } = globalThis as {
    trustedTypes?: { createPolicy(name: string, rules: ScriptPolicy): ScriptPolicy };
  };
  policy ??= trustedTypes?.createPolicy('bitmill', { createScriptURL: (own) => own });
  // The types of the DOM do not know that a trusted address is one.
  return (policy?.createScriptURL(address.href) ?? address) as URL;
}

/** A crew's thread is a worker of the worker; it ends with it. @param url of `thread.ts`. */
export const spawnFrom =
  (url: string): SpawnThread =>
  () => {
    const worker = new Worker(trustedScript(url), { type: 'module' });
    return {
      post: (message) => worker.postMessage(message),
      onMessage: (handler) => worker.addEventListener('message', ({ data }) => handler(data)),
      onDeath: (handler) => {
        worker.addEventListener('error', ({ message }) =>
          handler(message || 'its script could not be loaded'),
        );
        worker.addEventListener('messageerror', () => handler('a message could not be read'));
      },
      terminate: async () => worker.terminate(),
    };
  };

/** Threads that a model gets: all cores where memory may be shared with them, else the worker's own. */
export function usableThreads(): number {
  return globalThis.crossOriginIsolated ? Math.max(1, navigator.hardwareConcurrency) : 1;
}
