/** The registry of architectures: adding one = its file here and one line. */
import { inputError } from '../../core/index.ts';
import { type GgufFile, needString, quoted } from '../../gguf/index.ts';
import { checkModel } from '../check.ts';
import type { Architecture, LanguageModel } from '../language-model.ts';
import { llama } from './llama.ts';
import { phi3 } from './phi3.ts';

export const ARCHITECTURES: readonly Architecture[] = [phi3, llama];

/**
 * Reads a GGUF file as a model that can be run. Only headers and a few small tensors are read.
 * @throws input error: no model, an unknown architecture, or something missing or contradictory, by name.
 */
export async function readModel(file: GgufFile): Promise<LanguageModel> {
  checkModel(file);
  const name = needString(file.metadata, 'general.architecture', file.name);
  const architecture = ARCHITECTURES.find((known) => known.name === name);
  if (!architecture) {
    const known = ARCHITECTURES.map((one) => one.name).join(', ');
    throw inputError(file.name, `architecture ${quoted(name)} cannot be run; known are ${known}`);
  }
  return { file, architecture: name, ...(await architecture.read(file)) };
}
