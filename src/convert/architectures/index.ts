/** The registry of architectures: adding one = its file here and one line. */
import { inputError } from '../../core/index.ts';
import type { Architecture } from '../architecture.ts';
import { llama } from './llama.ts';
import { phi3 } from './phi3.ts';

export const ARCHITECTURES: readonly Architecture[] = [phi3, llama];

/**
 * The architecture of a checkpoint, by `architectures[0]` of its config.
 * @param place file, for messages. @throws input error: none named, or unknown.
 */
export function architectureOf(config: Readonly<Record<string, unknown>>, place: string): Architecture {
  const named = config['architectures'];
  const name: unknown = Array.isArray(named) ? named[0] : undefined;
  if (typeof name !== 'string') {
    throw inputError(place, 'field "architectures" does not name a model class, e.g. ["Phi3ForCausalLM"]');
  }
  const found = ARCHITECTURES.find((architecture) => architecture.classes.includes(name));
  if (found) return found;
  const known = ARCHITECTURES.flatMap((architecture) => architecture.classes).join(', ');
  throw inputError(place, `model class "${name.slice(0, 80)}" cannot be converted; known are ${known}`);
}
