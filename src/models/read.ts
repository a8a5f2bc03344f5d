/** Reading a model: which architecture a file is of, and its graphs. */
import { inputError } from '../core/index.ts';
import { type GgufFile, needString, quoted } from '../gguf/index.ts';
import { ARCHITECTURES } from './architectures/index.ts';
import { checkModel } from './check.ts';
import type { LanguageModel } from './language-model.ts';

/**
 * Reads a file as a model that can be run: its header and a few small tensors.
 * @throws input error: no model, an unknown architecture, something missing or contradictory, by name.
 */
export async function readModel(file: GgufFile): Promise<LanguageModel> {
  checkModel(file);
  const architecture = needString(file.metadata, 'general.architecture', file.name);
  const member = ARCHITECTURES.find(({ name }) => name === architecture);
  if (!member) {
    const known = ARCHITECTURES.map(({ name }) => name).join(', ');
    throw inputError(file.name, `architecture ${quoted(architecture)} cannot be run; known are ${known}`);
  }
  return { file, architecture, ...(await member.read(file)) };
}
