/** Models in this browser: each in a worker of its own, together one provider. */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type ModelInfo, type Provider, ProviderError } from '../../provider.ts';
import type { FromWorker, ModelSource, Port, ToWorker } from './protocol.ts';
import { RemoteModel } from './remote.ts';
import { trustedScript, usableThreads } from './spawn.ts';
import threadUrl from './thread.ts?worker&url';
import workerUrl from './worker.ts?worker&url';

/** A worker, and how to end it. */
export interface Started {
  readonly port: Port<FromWorker, ToWorker>;
  onDeath(handler: (reason: string) => void): void;
  end(): void;
}

function startWorker(): Started {
  const worker = new Worker(trustedScript(workerUrl), { type: 'module' });
  return {
    port: worker as unknown as Started['port'],
    onDeath: (handler) => {
      worker.addEventListener('error', ({ message }) => handler(message || 'its script could not be loaded'));
    },
    end: () => worker.terminate(),
  };
}

interface Held {
  readonly info: ModelInfo;
  readonly remote: RemoteModel;
  readonly end: () => void;
}

/** What tells a model in the browser from the server's of the same name. */
const PLACE = 'in this browser';

const FILE_TYPE = /(?:IQ\d_\w+?|Q\d_K(?:_[SML])?|Q\d_[01]|TQ\d_0|BF16|F16|F32)(?=\.gguf$|-\d{5}-of-)/i;

function nameOf(source: ModelSource): string {
  const name =
    source.kind === 'files'
      ? (source.files[0]?.name ?? '')
      : new URL(source.url, globalThis.location?.href).pathname;
  return decodeURIComponent(name.slice(name.lastIndexOf('/') + 1));
}

export class LocalModels {
  /** What happens now, in words; '' for nothing. */
  readonly busy: Signal<string> = signal('');
  readonly #held: Signal<readonly Held[]> = signal([]);
  readonly #start: () => Started;

  constructor(start: () => Started = startWorker) {
    this.#start = start;
  }

  get list(): ReadonlySignal<readonly { readonly info: ModelInfo }[]> {
    return this.#held;
  }

  /** @throws ProviderError: no model that can be run, or it does not fit. */
  async open(source: ModelSource): Promise<ModelInfo> {
    const file = nameOf(source);
    const id = `${file.replace(/\.gguf$/i, '')} (${PLACE})`;
    this.close(id);
    const started = this.#start();
    const remote = new RemoteModel(started.port);
    started.onDeath((reason) => remote.fail(`The model ${file} stopped: ${reason}.`));
    this.busy.value = `Opening ${file}…`;
    try {
      const opened = await remote.open({ source, id, threads: usableThreads(), threadUrl });
      const [fileType] = FILE_TYPE.exec(file) ?? [];
      const info = { ...opened, ...(fileType === undefined ? {} : { fileType: fileType.toUpperCase() }) };
      this.#held.value = [...this.#held.peek(), { info, remote, end: started.end }];
      return info;
    } catch (error) {
      started.end();
      throw error;
    } finally {
      this.busy.value = '';
    }
  }

  close(id: string): void {
    const held = this.#held.peek().find(({ info }) => info.id === id);
    held?.remote.fail('The model was closed.');
    held?.end();
    this.#held.value = this.#held.peek().filter((one) => one !== held);
  }

  has(id: string): boolean {
    return this.#held.peek().some(({ info }) => info.id === id);
  }

  readonly provider: Provider = {
    name: PLACE,
    models: async () => this.#held.peek().map(({ info }) => info),
    chat: (request) => this.#find(request.model).chat(request),
    embed: (model, texts, signal) => this.#find(model).embed(texts, signal),
    score: (request) => this.#find(request.model).score(request),
  };

  #find(model: string): RemoteModel {
    const held = this.#held.peek().find(({ info }) => info.id === model);
    if (held) return held.remote;
    throw new ProviderError(`${model} is not open: open its file in the settings.`);
  }
}
