/** Tokenizers by the name that a user gives: a GGUF, a tokenizer.json or the folder of a checkpoint. */
import path from 'node:path';
import { inputError } from '../core/index.ts';
import { type CheckpointFiles, parseJson } from '../hf/index.ts';
import { embeddedModel, folderFiles, isFolder } from '../platform/index.ts';
import { type Tokenizer, tokenizerFromJson, tokenizerOf } from '../text/index.ts';
import { withGguf } from './gguf.ts';

async function readJson(files: CheckpointFiles, file: string): Promise<unknown> {
  const source = await files.open(file);
  if (!source) return undefined;
  try {
    return parseJson(await source.read(0, source.size), source.name);
  } finally {
    await source.close?.();
  }
}

async function fromFolder(folder: string, file: string): Promise<Tokenizer> {
  const files = folderFiles(folder);
  const json = await readJson(files, file);
  if (json === undefined) throw inputError(folder, `has no ${file}`);
  const config = await readJson(files, 'tokenizer_config.json');
  return tokenizerFromJson(json, { place: path.join(folder, file), config });
}

/**
 * Loads a tokenizer. Beside a tokenizer.json its tokenizer_config.json is read.
 * @throws input error: nothing there, or nothing that is known here.
 */
export async function loadTokenizer(name: string): Promise<Tokenizer> {
  if (!embeddedModel(name) && (await isFolder(name))) return fromFolder(name, 'tokenizer.json');
  if (name.endsWith('.json')) return fromFolder(path.dirname(name), path.basename(name));
  return withGguf(name, async (file) => tokenizerOf(file));
}
