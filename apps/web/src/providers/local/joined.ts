/** A server and the models in this browser as one provider: a model's name says where it answers. */
import type { ModelInfo, Provider } from '../../provider.ts';
import type { LocalModels } from './models.ts';

/** Without a server that answers, the models of the browser are all there is; without those its error counts. */
export function joined(server: Provider, local: LocalModels): Provider {
  const at = (model: string): Provider => (local.has(model) ? local.provider : server);
  return {
    name: server.name,
    models: async (signal) => {
      const own = await local.provider.models();
      const others = await server.models(signal).catch((error: unknown): readonly ModelInfo[] => {
        if (own.length > 0 && !signal?.aborted) return [];
        throw error;
      });
      return [...others, ...own];
    },
    chat: (request) => at(request.model).chat(request),
    embed: (model, texts, signal) => at(model).embed(model, texts, signal),
    score: (request) => {
      const score = at(request.model).score;
      return score ? score(request) : Promise.reject(new Error('This provider cannot score.'));
    },
  };
}
