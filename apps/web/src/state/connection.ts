/** The provider that is in use, what it offers, and whether it answers. */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type ModelInfo, type Provider, ProviderError } from '../provider.ts';

export type Reach = 'asking' | 'ready' | 'failed';

export interface Link {
  readonly provider: ReadonlySignal<Provider>;
  readonly models: ReadonlySignal<readonly ModelInfo[]>;
  readonly reach: ReadonlySignal<Reach>;
  /** Why there are no models: one sentence. */
  readonly problem: ReadonlySignal<string>;
  /** Another provider, or the same once more; asks for its models. */
  use(provider: Provider): Promise<void>;
  refresh(): Promise<void>;
}

export function openLink(first: Provider): Link {
  const provider: Signal<Provider> = signal(first);
  const models = signal<readonly ModelInfo[]>([]);
  const reach = signal<Reach>('asking');
  const problem = signal('');
  let asked = new AbortController();

  const refresh = async () => {
    asked.abort();
    asked = new AbortController();
    const { signal: current } = asked;
    reach.value = 'asking';
    try {
      const found = await provider.value.models(current);
      if (current.aborted) return;
      models.value = found;
      reach.value = 'ready';
      problem.value = '';
    } catch (error) {
      if (current.aborted) return;
      models.value = [];
      reach.value = 'failed';
      problem.value = error instanceof ProviderError ? error.message : String(error);
    }
  };
  const use = (next: Provider) => {
    provider.value = next;
    return refresh();
  };
  return { provider, models, reach, problem, use, refresh };
}
