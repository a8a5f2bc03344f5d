/** Under which name requests find a model. */
import path from 'node:path';
import { usageError } from '../../core/index.ts';
import { parseShardName } from '../../gguf/index.ts';
import { embeddedModel, isUrl } from '../../platform/index.ts';

export interface NamedModel {
  readonly id: string;
  /** File, address or name of an embedded model. */
  readonly model: string;
}

/** `tiny=models/a.gguf`: a name of letters, digits and `. _ : -`, which a path before a `=` seldom is. */
const NAMED = /^([\w.:-]+)=(.+)$/;

/** `folder/Phi-3-mini-Q4_K_M-00001-of-00002.gguf` -> `Phi-3-mini-Q4_K_M`. */
function fileId(model: string): string {
  if (embeddedModel(model)) return model;
  const base = path.posix.basename(isUrl(model) ? new URL(model).pathname : model.replaceAll('\\', '/'));
  return parseShardName(base)?.prefix ?? base.replace(/\.gguf$/i, '');
}

/** @throws usage error: two models of one name. */
export function namedModels(texts: readonly string[]): readonly NamedModel[] {
  const models = texts.map((text): NamedModel => {
    const named = NAMED.exec(text);
    return named ? { id: named[1], model: named[2] } : { id: fileId(text), model: text };
  });
  for (const [index, { id, model }] of models.entries()) {
    const before = models.slice(0, index).find((other) => other.id === id);
    if (before) {
      throw usageError(
        `-m: ${before.model} and ${model} would both be called ${id}`,
        'NAME=FILE gives a model another name',
      );
    }
  }
  return models;
}
