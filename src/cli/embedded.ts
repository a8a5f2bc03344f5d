/** Models by the names that commands take, with the terminal's progress. */
import { type ModelForm, modelPath } from '../platform/index.ts';
import { terminalProgress } from './terminal.ts';

/**
 * The path or address that a command opens; what has to be received or made first is.
 * @param form what the command wants of an embedded model that is named without a type.
 * @throws as `modelPath`.
 */
export function ggufPath(name: string, form: ModelForm): Promise<string> {
  const note = (message: string) => void process.stderr.write(`${message}\n`);
  return modelPath(name, { form, progress: terminalProgress(), note });
}
