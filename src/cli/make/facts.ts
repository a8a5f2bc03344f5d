/** What the original says of itself, for the set. */
import path from 'node:path';
import { BitmillError } from '../../core/index.ts';
import { type GgufFile, getString, getStrings } from '../../gguf/index.ts';
import { readModel } from '../../models/index.ts';
import type { QuantSet, SetFile } from '../../report/index.ts';
import { chatTemplateOf, tokenizerOf } from '../../text/index.ts';

type ModelFacts = QuantSet['model'];

/** Shown on the card in the model's own chat format. */
const CHAT = [
  { role: 'user', content: 'Hello! Who are you?' },
  { role: 'assistant', content: 'I am a language model.' },
  { role: 'user', content: 'What can you do?' },
];

/** Undefined where there is no template, or one that does not take such a chat. */
function chatExample(file: GgufFile): string | undefined {
  if (!file.metadata.has('tokenizer.chat_template')) return undefined;
  try {
    return chatTemplateOf(file, tokenizerOf(file)).render(CHAT, { generationPrompt: true });
  } catch (error) {
    if (error instanceof BitmillError) return undefined;
    throw error;
  }
}

/** The format that most weights are in. */
function commonFormat(file: GgufFile): string {
  const weights = new Map<string, number>();
  for (const { format, weights: count } of file.tensors) {
    weights.set(format.name, (weights.get(format.name) ?? 0) + count);
  }
  const [[name]] = [...weights].sort(([, a], [, b]) => b - a);
  return name.toLowerCase();
}

export interface Origin {
  readonly source: string;
  readonly baseModel: string | undefined;
  readonly revision: string | undefined;
}

/** @param files of the model, with their hashes. */
export async function modelFacts(
  file: GgufFile,
  files: readonly SetFile[],
  origin: Origin,
): Promise<ModelFacts> {
  const { hyper, architecture } = await readModel(file);
  const text = (key: string) => getString(file.metadata, key, file.name);
  const optional = <Name extends string>(name: Name, value: string | undefined) =>
    (value === undefined ? {} : { [name]: value }) as { [key in Name]?: string };
  const parameters = file.tensors.reduce((sum, { weights }) => sum + weights, 0);
  const data = file.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    name: text('general.name') ?? path.basename(file.name),
    source: origin.source,
    ...optional('baseModel', origin.baseModel),
    ...optional('revision', origin.revision),
    architecture,
    parameters,
    layers: hyper.layers,
    contextLength: hyper.contextLength,
    vocabulary: hyper.vocabulary,
    cacheWidth: 2 * hyper.layers * hyper.kvHeads * hyper.headSize,
    ...optional('license', text('general.license')),
    ...optional('licenseName', text('general.license.name')),
    ...optional('licenseLink', text('general.license.link')),
    languages: [...(getStrings(file.metadata, 'general.languages', file.name) ?? [])],
    tags: [...(getStrings(file.metadata, 'general.tags', file.name) ?? [])],
    ...optional('chatExample', chatExample(file)),
    dtype: commonFormat(file),
    files: [...files],
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    bitsPerWeight: (8 * data) / parameters,
  };
}
