/** Reading a model: which architecture a file is of, and its graphs. */
import { inputError } from '../core/index.ts';
import { type GgufFile, needString } from '../gguf/index.ts';
import { checkModel } from './check.ts';
import type { Architecture, LanguageModel } from './language-model.ts';

/** The registry of architectures: adding one = its file here and one line. */
export const ARCHITECTURES: readonly Architecture[] = [];

/** @throws input error: no model, an unknown architecture, a missing or misshapen tensor. */
export async function readModel(file: GgufFile): Promise<LanguageModel> {
  checkModel(file);
  const architecture = needString(file.metadata, 'general.architecture', file.name);
  const member = ARCHITECTURES.find(({ name }) => name === architecture);
  if (!member) {
    const known = ARCHITECTURES.map(({ name }) => name).join(', ');
    throw inputError(file.name, `architecture ${architecture} cannot be run; known are ${known}`);
  }
  return { file, architecture, ...(await member.read(file)) };
}
